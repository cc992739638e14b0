"""Events of real footage, annotated by eye before anything was measured (``clips/*.yaml``; the footage is never kept).

A file names its clip by package, member and sha256, says which seconds were annotated and whether the clip is for choosing
settings (``tune``) or for judging them (``judge``), and holds one or more passes by different eyes. An event is
``[name, start, end, side, strength]`` with the names of ``face/facs/vocabulary.py``, seconds of the clip, the subject's own
side, and a strength of 1 (slight), 2 (clear) or 3 (strong).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, load_yaml, parse
from ...face.facs.vocabulary import ACTION, Side

Span = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


@dataclass(frozen=True, config=SETTINGS)
class SeenEvent:
    """One thing that a face does, as an annotator saw it."""

    name: str
    start: Annotated[float, Field(ge=0)]
    end: Annotated[float, Field(ge=0)]
    side: Side = "both"
    strength: Annotated[int, Field(ge=1, le=3)] = 2

    def __post_init__(self) -> None:
        if self.name not in ACTION:
            raise ValueError(f"unknown action {self.name!r}; known: {', '.join(ACTION)}")
        if self.end <= self.start:
            raise ValueError(f"{self.name} is said to last from {self.start:g} to {self.end:g} s; the end must be later")
        if self.side != "both" and not ACTION[self.name].paired:
            raise ValueError(f"{self.name} has no sides, but is said to be on the {self.side}")


@dataclass(frozen=True, config=SETTINGS)
class Pass:
    """What one annotator saw."""

    events: tuple[SeenEvent, ...]
    unclear: tuple[SeenEvent, ...] = ()
    """What may be there or not: claims of it are neither right nor wrong."""
    spans: tuple[Span, ...] = ()
    """Seconds that this pass covers; empty: those of the clip."""


@dataclass(frozen=True, config=SETTINGS)
class AnnotatedClip:
    """A clip and what was seen in it."""

    package: str
    member: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    split: Literal["tune", "judge"]
    person: str
    """Who it is, in the annotations' own names: clips of one person are not spread over splits."""
    fps: Annotated[float, Field(gt=0)]
    frames: Annotated[int, Field(gt=0)]
    spans: tuple[Span, ...]
    """Seconds that were annotated."""
    passes: Annotated[dict[str, Pass], Field(min_length=1)]
    rest: tuple[Span, ...] = ()
    """Seconds in which the face rests: nothing happens but blinks."""
    emotion: tuple[tuple[str, float, float], ...] = ()
    """What the whole face shows, with its seconds, where it is plain."""
    notes: str = ""
    name: str = ""

    @property
    def first(self) -> Pass:
        """The pass that is judged against."""
        return next(iter(self.passes.values()))


def annotated_clips(split: str | None = None) -> list[AnnotatedClip]:
    """All annotated clips, or those of a split, by name.

    Raises:
        ValueError: a file that does not hold what it should.
    """
    folder = files("facelm").joinpath("eval", "seeing", "clips")
    texts = {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".yaml")}
    out = [read_annotations(texts[name], name) for name in sorted(texts)]
    return [c for c in out if split in (None, c.split)]


def read_annotations(text: str, file: str) -> AnnotatedClip:
    """The clip of one file's text.

    Raises:
        ValueError: one line naming the entry, the value and what is allowed.
    """
    raw = load_yaml(text)
    for one in raw["passes"].values():
        for kind in ("events", "unclear"):
            one[kind] = [dict(zip(_KEYS, event, strict=False)) for event in one.get(kind) or ()]
    return parse(AnnotatedClip, raw | {"name": file.removesuffix(".yaml")}, file)


_KEYS = ("name", "start", "end", "side", "strength")
