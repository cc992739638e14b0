"""How exact and how short motion tokens are: what `facelm tokenizer eval` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
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
            f"  steps without a change  {self.rest_share:.3f}"))


def evaluate_tokenizer(tokenizer: FaceTokenizer, clips: Sequence[FaceSequence],
                       progress: Progress = silent) -> Reconstruction:
    """Encode and decode clips (without idle motion) and compare.

    The unigram bits are those of the clips' own symbol frequencies (add-one smoothed).
    """
    if not clips:
        raise ValueError("no clips to evaluate the tokenizer on")
    head = HeadModel.default()
    counts = np.ones(tokenizer.n_symbols)
    region_error: dict[str, list[float]] = {r: [] for r in REGIONS if r in head.masks}
    where = {r: np.asarray(head.masks[r]) for r in region_error}
    index = np.unique(np.concatenate(list(where.values())))
    part = head.subset(index)
    local = {r: np.searchsorted(index, idx) for r, idx in where.items()}
    head_deg, gaze_deg, acceleration, onset_error = [], [], [], []
    hits = missed = extra = frames = 0
    symbols, seconds, changes, cells = 0, 0.0, 0, 0
    for done, given in enumerate(clips):
        clip = given.resample(tokenizer.config.fps)
        frames += len(clip)
        tokens = tokenizer.encode(Normalised(clip))
        again = tokenizer.decode(tokens, head=head).slice(0, len(clip))
        np.add.at(counts, tokens.ids, 1)
        symbols += len(tokens.ids)
        seconds += clip.seconds
        changes += int((tokens.ids < tokenizer.layout.n_codes).sum())
        cells += tokens.steps * len(tokenizer.codebook_size)
        a, b = (1000 * part.vertices(expr=c.expr, jaw_pose=c.jaw_pose) for c in (clip, again))
        for r, idx in local.items():
            region_error[r].append(float(np.linalg.norm(a[:, idx] - b[:, idx], axis=-1).mean(1).sum()))
        if len(clip) > 2:
            acceleration.append([np.abs(np.diff(x[:, local["lips"]], 2, axis=0)).mean() for x in (a, b)])
        head_deg.append(_angle(orientation(clip), orientation(again)))
        gaze_deg.append(_angle(*(Rotation.from_rotvec(c.eyes_pose[:, :3]) for c in (clip, again))))
        was, now = (measure(c, head).actions for c in (clip, again))
        same = matches(was, now)
        hits += len(same)
        missed += len(was) - len(same)
        extra += len(now) - len(same)
        onset_error += [abs(a.onset - b.onset) for a, b in same]
        progress(done + 1, len(clips))
    p = counts / counts.sum()
    entropy = float(-(p * np.log2(p)).sum())
    jitter = np.array(acceleration).mean(0)
    return Reconstruction(
        clips=len(clips), mm={r: float(np.sum(v) / frames) for r, v in region_error.items()},
        head_deg=float(np.sum(head_deg) / frames), gaze_deg=float(np.sum(gaze_deg) / frames),
        jitter=float(jitter[1] / max(jitter[0], 1e-9)),
        action_recall=hits / max(1, hits + missed), action_precision=hits / max(1, hits + extra),
        onset_error=float(np.mean(onset_error)) if onset_error else 0.0,
        tokens_per_second=symbols / seconds, bits_per_second=entropy * symbols / seconds,
        rest_share=1 - changes / cells, symbols=tokenizer.n_symbols)


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
