"""What the tools of the agent return: small records, each with a dictionary for programs and lines for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..data_gen.fit.fit import FitResult
    from ..face.clip.sequence import FaceSequence
    from ..face.facs.measure import Measurement
    from ..face.head.model import HeadModel
    from ..face.retarget.retarget import Report
    from .transition import Transition


class Result(Protocol):
    """A record that can be printed."""

    def to_dict(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


def _size(clip: FaceSequence) -> dict[str, Any]:
    return {"seconds": clip.seconds, "frames": len(clip), "fps": clip.fps}


@dataclass(frozen=True)
class Written:
    """A file that was written, or several things that were, with a sentence about it."""

    path: str
    text: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    """Why all of it failed."""

    def to_dict(self) -> dict[str, Any]:
        return {"out": self.path, **self.facts}

    def lines(self) -> list[str]:
        return [f"{self.path}: {self.text}" if self.text else self.path]


@dataclass(frozen=True)
class Performance:
    """A performed prompt in a file."""

    path: Path
    clip: FaceSequence
    prompt: str
    seed: int

    def to_dict(self) -> dict[str, Any]:
        return {"clip": str(self.path), "prompt": self.prompt, **_size(self.clip), "seed": self.seed}

    def lines(self) -> list[str]:
        return [f"{self.path}: {self.clip.seconds:.2f} s, {len(self.clip)} frames: {self.prompt}"]


@dataclass(frozen=True)
class TransitionReport:
    """A transition in a file."""

    path: str
    instruction: str
    done: Transition
    source: str
    curve: str
    seed: int
    model: str = "lm"
    files: tuple[str, ...] = ()
    """Pictures, videos and exports of it."""

    def to_dict(self) -> dict[str, Any]:
        done, clip = self.done, self.done.clip
        return {"clip": self.path, "instruction": self.instruction, "model": self.model, "source": self.source, **_size(clip),
                "curve": self.curve, "seed": self.seed, "warnings": list(done.warnings), "files": list(self.files),
                "expressions": [{"name": n, "frame": k, "seconds": k / clip.fps}
                                for n, k in zip(done.names, done.keys, strict=True)]}

    def lines(self) -> list[str]:
        done, clip = self.done, self.done.clip
        reached = ", ".join(f"{name} at {key / clip.fps:.2f} s" for name, key in zip(done.names, done.keys, strict=True))
        return [f"{self.path}: {clip.seconds:.2f} s, {len(clip)} frames: {reached}; {self.curve} curve, from {self.source}",
                *self.files]


@dataclass(frozen=True)
class Description:
    """What the model says of a clip, or of a window of a long one."""

    clip: str
    text: str
    question: str | None = None
    start: float | None = None
    """When the window begins in the file, s; None for a file in one piece."""
    end: float | None = None
    named: bool = False
    """Whether lines begin with the file's name."""

    def to_dict(self) -> dict[str, Any]:
        times = {} if self.start is None else {"start": self.start, "end": self.end}
        said = {"description": self.text} if self.question is None else {"question": self.question, "answer": self.text}
        return {"clip": self.clip, **times, **said}

    def lines(self) -> list[str]:
        window = "" if self.start is None else f"{self.start:.1f}-{self.end:.1f} s: "
        return [f"{self.clip}: {window}{self.text}" if self.named else window + self.text]


@dataclass(frozen=True)
class Timeline:
    """The measured actions of a clip, or of a window of a long one."""

    clip: str
    measured: Measurement
    start: float | None = None
    end: float | None = None

    def to_dict(self) -> dict[str, Any]:
        times = {} if self.start is None else {"start": self.start, "end": self.end}
        return {**self.measured.to_dict(self.clip), **times}

    def lines(self) -> list[str]:
        where, m = "" if self.start is None else f", from {self.start:.1f}-{self.end:.1f} s", self.measured
        title = f"{self.clip}{where}: {m.seconds:.2f} s at {m.fps:g} fps, mostly {m.emotion.dominant}"
        return [title, *fact_lines(m, self.start or 0.0)]


def fact_lines(measured: Measurement, start: float = 0.0) -> list[str]:
    """The measured actions, one readable line each; ``start`` is when the clip begins in its file, s."""
    lines = []
    for a in measured.actions:
        cycles = f", {a.cycles:g} times" if a.cycles else ""
        lines.append(f"  {start + a.onset:5.2f} - {start + a.offset:5.2f} s  {a.name:<20s} intensity {a.intensity:.2f} "
                     f"({a.value:.1f} {a.unit}{cycles})")
    return lines or ["  nothing: the face stays at rest"]


@dataclass(frozen=True)
class Fitted:
    """A video or picture that was fitted; ``error`` says why it was not."""

    source: str
    path: str = ""
    result: FitResult | None = None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        if self.result is None:
            return {"input": self.source, "error": self.error}
        return {"input": self.source, "clip": self.path, **self.result.report()}

    def lines(self) -> list[str]:
        done = self.result
        return [] if done is None else [f"{self.path}: {done.seq.seconds:.2f} s, {done.quality.summary()}"]


@dataclass(frozen=True)
class Converted:
    """Parameters of another tool that became a clip."""

    path: str
    format: str
    clip: FaceSequence
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        clip = self.clip
        return {"out": self.path, "format": self.format, "frames": len(clip), "fps": clip.fps, "valid": int(clip.valid.sum()),
                "head": str(clip.head), "notes": list(self.notes)}

    def lines(self) -> list[str]:
        clip = self.clip
        return [f"recognised: {self.format}",
                f"{len(clip)} frames ({int(clip.valid.sum())} valid), {clip.seconds:.2f} s at {clip.fps:g} fps, head {clip.head}",
                *(f"note: {note}" for note in self.notes), f"written: {self.path}"]


@dataclass(frozen=True)
class Retargeted:
    """A clip that was carried to another head."""

    source: str
    path: str
    heads: tuple[str, str]
    frames: int
    report: Report

    def to_dict(self) -> dict[str, Any]:
        return {"input": self.source, "clip": self.path, "from": self.heads[0], "to": self.heads[1], "frames": self.frames,
                **self.report.to_dict()}

    def lines(self) -> list[str]:
        off = ", ".join(f"{name} {e.mean:.2f}" for name, e in self.report.regions.items())
        return [f"{self.path}: {self.frames} frames on {self.heads[1]}; off by {off} mm"]


@dataclass(frozen=True)
class HeadFacts:
    """What a head is."""

    head: HeadModel
    told: tuple[str, ...]
    """Its lines for people."""
    place: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        head, meta = self.head, self.head.meta
        return {**self.place, "name": head.name, "edition": head.edition, "sha256": head.sha256, "vertices": head.n_vertices,
                "faces": len(head.faces), "identity": head.n_shape, "expressions": head.n_expr, "landmarks": len(head.lmk_names),
                "masks": sorted(head.masks), "license": meta.get("license"), "source": meta.get("source"),
                "source_sha256": meta.get("source_sha256"), "edition_known_by": meta.get("edition_known_by"),
                "notes": list(meta.get("notes", []))}

    def lines(self) -> list[str]:
        return list(self.told)


@dataclass(frozen=True)
class Facts:
    """Names with values."""

    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.values

    def lines(self) -> list[str]:
        return [f"{name:<24s}{value}" for name, value in self.values.items()]


