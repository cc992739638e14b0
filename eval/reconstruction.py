"""How exact and how short motion tokens are: what `facelm tokenizer eval` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..common.progress import Progress, silent
from ..face.clip.canonical import orientation
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure
from ..face.facs.measured import MeasuredAction
from ..face.head.model import HeadModel
from ..tokenizer.codec import FaceTokenizer

REGIONS = ("lips", "lids", "brows", "cheeks", "jaw")


@dataclass(frozen=True)
class Reconstruction:
    """Means over all frames of all clips.

    ``mm`` vertex error by region (head upright); ``head_deg`` and ``gaze_deg`` rotation error;
    ``jitter`` ratio of mean absolute vertex acceleration at the lips, reconstruction / original;
    ``action_recall`` share of the occurrences of actions in the originals that are measured again, at
    an overlapping time; ``action_precision`` the same the other way round;
    ``onset_error`` s, mean difference of the onsets of those found.
    """

    clips: int
    mm: dict[str, float]
    head_deg: float
    gaze_deg: float
    jitter: float
    action_recall: float
    action_precision: float
    onset_error: float
    tokens_per_second: float
    bits_per_second: float
    rest_share: float
    """Share of the stream steps that write nothing (the code stays)."""
    every_code: tuple[float, float]
    """Tokens and bits a second (all codes equally likely) if each stream wrote its code at each step."""
    symbols: int

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def table(self) -> str:
        """Plain text."""
        mm = ", ".join(f"{k} {v:.3f}" for k, v in self.mm.items())
        return "\n".join((
            f"reconstruction of {self.clips} clips with {self.symbols} symbols",
            f"  vertex error (mm)       {mm}",
            f"  head / gaze (degrees)   {self.head_deg:.3f} / {self.gaze_deg:.3f}",
            f"  lip jitter (ratio)      {self.jitter:.3f}",
            f"  actions found again     {self.action_recall:.4f} (precision {self.action_precision:.4f}, "
            f"onsets off by {self.onset_error:.3f} s)",
            f"  tokens / bits a second  {self.tokens_per_second:.2f} / {self.bits_per_second:.1f} (unigram)",
            f"  steps without a change  {self.rest_share:.3f} (all written: {self.every_code[0]:.1f} tokens, "
            f"{self.every_code[1]:.1f} bits a second)"))


@dataclass(frozen=True)
class Rebuilt:
    """One clip and what its tokens give back; sums over its frames."""

    frames: int
    seconds: float
    ids: NDArray[np.integer[Any]]
    """``(N,)`` symbols."""
    changes: int
    """Symbols that write a code."""
    cells: int
    """Steps times streams."""
    mm: dict[str, float]
    head_deg: float
    gaze_deg: float
    acceleration: tuple[float, float] | None
    """Mean absolute vertex acceleration at the lips, of the original and of what comes back, mm a frame squared."""
    velocity: float
    """Sum over frames of the vertex velocity's error at the lips, mm/s."""
    jerk: tuple[float, float]
    """Mean norm of the third derivative at the lips, of the original and of what comes back, m/s^3."""
    hits: int
    missed: int
    extra: int
    onsets: tuple[float, ...]
    again: FaceSequence


class _Regions:
    """Vertices of the face's regions, evaluated alone."""

    def __init__(self, head: HeadModel) -> None:
        where = {r: np.asarray(head.masks[r]) for r in REGIONS if r in head.masks}
        index = np.unique(np.concatenate(list(where.values())))
        self.part = head.subset(index)
        self.local = {r: np.searchsorted(index, idx) for r, idx in where.items()}

    def of(self, clip: FaceSequence) -> NDArray[np.float32]:
        """``(T, n, 3)`` mm, the head upright."""
        return 1000 * self.part.vertices(expr=clip.expr, jaw_pose=clip.jaw_pose)


def rebuild(tokenizer: FaceTokenizer, clips: Sequence[FaceSequence], progress: Progress = silent) -> Iterator[Rebuilt]:
    """Encode and decode clips (without idle motion) and compare each with what comes back."""
    head = HeadModel.default()
    regions = _Regions(head)
    for done, given in enumerate(clips):
        clip = given.resample(tokenizer.config.fps)
        tokens = tokenizer.encode(Normalised(clip))
        again = tokenizer.decode(tokens, head=head).slice(0, len(clip))
        a, b = (regions.of(c) for c in (clip, again))
        mm = {r: float(np.linalg.norm(a[:, i] - b[:, i], axis=-1).mean(1).sum()) for r, i in regions.local.items()}
        lips = [x[:, regions.local["lips"]] for x in (a, b)]
        fast = [np.diff(x, axis=0) * clip.fps for x in lips]
        jerk = [float(np.linalg.norm(np.diff(x, 3, axis=0), axis=-1).mean() * clip.fps ** 3 / 1000) if len(x) > 3 else 0.0
                for x in lips]
        was, now = (measure(c, head).actions for c in (clip, again))
        same = matches(was, now)
        yield Rebuilt(
            len(clip), clip.seconds, np.asarray(tokens.ids), int((tokens.ids < tokenizer.layout.n_codes).sum()),
            tokens.steps * len(tokenizer.codebook_size), mm, _angle(orientation(clip), orientation(again)),
            _angle(*(Rotation.from_rotvec(c.eyes_pose[:, :3]) for c in (clip, again))),
            tuple(float(np.abs(np.diff(x, 2, axis=0)).mean()) for x in lips) if len(clip) > 2 else None,  # type: ignore[arg-type]
            float(np.linalg.norm(fast[0] - fast[1], axis=-1).mean(1).sum()), (jerk[0], jerk[1]),
            len(same), len(was) - len(same), len(now) - len(same), tuple(abs(x.onset - y.onset) for x, y in same), again)
        progress(done + 1, len(clips))


def evaluate_tokenizer(tokenizer: FaceTokenizer, clips: Sequence[FaceSequence],
                       progress: Progress = silent) -> Reconstruction:
    """Encode and decode clips (without idle motion) and compare.

    The unigram bits are those of the clips' own symbol frequencies (add-one smoothed).
    """
    if not clips:
        raise ValueError("no clips to evaluate the tokenizer on")
    rows = list(rebuild(tokenizer, clips, progress))
    frames, seconds = sum(r.frames for r in rows), sum(r.seconds for r in rows)
    symbols = sum(len(r.ids) for r in rows)
    jitter = np.array([r.acceleration for r in rows if r.acceleration]).mean(0)
    hits, missed, extra = (sum(getattr(r, n) for r in rows) for n in ("hits", "missed", "extra"))
    onsets = [o for r in rows for o in r.onsets]
    steps = sum(r.cells for r in rows) / len(tokenizer.codebook_size) / seconds
    return Reconstruction(
        clips=len(clips), mm={r: float(np.sum([x.mm[r] for x in rows]) / frames) for r in rows[0].mm},
        head_deg=float(np.sum([r.head_deg for r in rows]) / frames), gaze_deg=float(np.sum([r.gaze_deg for r in rows]) / frames),
        jitter=float(jitter[1] / max(jitter[0], 1e-9)),
        action_recall=hits / max(1, hits + missed), action_precision=hits / max(1, hits + extra),
        onset_error=float(np.mean(onsets)) if onsets else 0.0,
        tokens_per_second=symbols / seconds, bits_per_second=symbol_bits(tokenizer, [r.ids for r in rows]) * symbols / seconds,
        rest_share=1 - sum(r.changes for r in rows) / sum(r.cells for r in rows),
        every_code=(steps * len(tokenizer.codebook_size), steps * float(np.log2(tokenizer.codebook_size).sum())),
        symbols=tokenizer.n_symbols)


def symbol_bits(tokenizer: FaceTokenizer, ids: Sequence[NDArray[np.integer[Any]]]) -> float:
    """Entropy of a symbol by the clips' own frequencies (add-one smoothed), bits."""
    counts = np.ones(tokenizer.n_symbols)
    for some in ids:
        np.add.at(counts, some, 1)
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def matches(was: Sequence[MeasuredAction], now: Sequence[MeasuredAction]) -> list[tuple[MeasuredAction, MeasuredAction]]:
    """Occurrences of the same action that overlap in time, one to one."""
    left = list(now)
    out = []
    for a in was:
        found = next((b for b in left if b.name == a.name and min(a.offset, b.offset) > max(a.onset, b.onset)), None)
        if found is not None:
            left.remove(found)
            out.append((a, found))
    return out


def _angle(a: Rotation, b: Rotation) -> float:
    """Sum over frames of the angle between two rotations, in degrees."""
    return float(np.degrees((a.inv() * b).magnitude()).sum())
