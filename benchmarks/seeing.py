"""What is measured on real footage against what annotators saw in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from ..common.files import file_digest
from ..data_gen.fit.fit import fit_faces, fit_media
from ..eval.seeing.annotations import AnnotatedClip, annotated_clips
from ..eval.seeing.score import Score, agreement, claims_of, felt_times, reliability, rest_claims, score_clip, summed, total
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure
from ..face.facs.measured import Measurement
from ..face.facs.vocabulary import EMOTIONS
from ..face.head.model import HeadModel
from .report import Row, Tables

_BINS = ((0.2, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.0))
"""Confidences whose claims are looked at together; blinks, nods and speech have none."""
_PICTURES = (".png", ".jpg", ".jpeg")
SEEN_OFTEN = 5
"""Actions that were seen at least so often are judged one by one."""


def seeing(footage: tuple[Path, ...], *, split: str = "judge", cache: Path | None = None, stills: Path | None = None) -> Tables:
    """Fit annotated clips, measure them, and say what of it is there.

    Parameters
    ----------
    footage
        Files or folders with the annotated clips, under any name: they are known by their sha256 (scripts/fetch_real.py).
    split
        judge, tune or all.
    cache
        Folder of fits that are used again, by the clip's name; a clip that is not there yet is fitted and added.
    stills
        Folder of pictures whose paths name the emotion that is posed (the examples of PyPI EmoPy; its "series" are the first
        frames, before the pose).
    """
    clips = annotated_clips(None if split == "all" else split)
    if not clips:
        raise ValueError(f"split is {split!r}; allowed: judge, tune, all")
    paths = _known(footage, {c.sha256 for c in clips})
    head = HeadModel.default()
    scores: dict[str, dict[str, Score]] = {}
    rows: list[Row] = []
    false_at_rest, rest = 0, 0.0
    felt: dict[tuple[str, str], float] = {}
    sure: list[tuple[float, bool]] = []
    for clip in tqdm(clips, disable=None):
        if clip.sha256 not in paths:
            continue
        found = _measured(clip, paths[clip.sha256], head, cache)
        claims = claims_of(found.everything)
        sure += [pair for pair in reliability(clip, (*found.everything, *found.unsure)) if pair[0] < 1.0]
        for key, seconds in felt_times(clip, found.emotion.timeline).items():
            felt[key] = felt.get(key, 0.0) + seconds
        scores[clip.name] = score_clip(clip, claims)
        wrong, seconds = rest_claims(clip, claims)
        false_at_rest, rest = false_at_rest + wrong, rest + seconds
        rows.append({"clip": clip.name, "annotated, s": sum(b - a for a, b in clip.spans), **_row(total(scores[clip.name])),
                     "false at rest": wrong})
    both = [agreement(c, *list(c.passes)[:2]) for c in clips if len(c.passes) > 1]
    whole, eyes = summed(scores.values()), summed(both)
    missing = [c.name for c in clips if c.sha256 not in paths]
    pictures = {"stills": _stills(stills, head)} if stills else {}
    return {"clips": rows, **pictures,
            "actions": [{"action": name, **_row(whole[name]), "annotators' F1": eyes[name].f1 if name in eyes else None}
                        for name in sorted(whole, key=lambda n: (-whole[n].events, n))],
            "summary": [
                {"what": "all", **_row(total(whole))},
                {"what": f"actions seen at least {SEEN_OFTEN} times", **_row(_often(whole))},
                {"what": "two annotators", **_row(total(eyes))}],
            "emotion": [{"annotated": name, "seconds": sum(v for (n, _), v in felt.items() if n == name),
                         **{said: v for (n, said), v in sorted(felt.items(), key=lambda item: -item[1]) if n == name}}
                        for name in dict.fromkeys(n for n, _ in felt)],
            "confidence": [{"from": low, "claims": len(some := [t for c, t in sure if low <= c < high]),
                            "true": sum(some) / len(some) if some else None} for low, high in _BINS],
            "rest": [{"false claims but blinks": false_at_rest, "seconds of rest": rest,
                      "a minute": 60 * false_at_rest / rest if rest else None, "clips not found": ", ".join(missing) or None}]}


def _stills(folder: Path, head: HeadModel) -> list[Row]:
    """What the pictures of each posed emotion are taken for."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for path in tqdm(sorted(p for p in folder.rglob("*") if p.suffix.lower() in _PICTURES), disable=None):
        name = path.relative_to(folder).as_posix().lower().replace("happy", "happiness")
        if posed := next((e for e in EMOTIONS if e in name), None):
            key = (posed, "before" if "series" in name else "posed")
            found.setdefault(key, Counter())[measure(fit_media(path, head).seq, head).emotion.dominant] += 1
    return [{"emotion": name, "when": when, "pictures": sum(said.values()), "taken for": ", ".join(
        f"{n} {k}" for n, k in said.most_common())} for (name, when), said in sorted(found.items())]


def _known(footage: Iterable[Path], wanted: set[str]) -> dict[str, Path]:
    files = [f for p in footage for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.is_file()]
    found = {file_digest(f): f for f in files}
    if not wanted & found.keys():
        raise FileNotFoundError("none of the annotated clips is there; fetch them with scripts/fetch_real.py -o FOLDER")
    return found


def _measured(clip: AnnotatedClip, path: Path, head: HeadModel, cache: Path | None) -> Measurement:
    """What all shots of a film show; the fits of ``cache`` are files named by clip and first frame."""
    kept = {int(f.suffixes[0][1:]): FaceSequence.load(f) for f in cache.glob(f"{clip.name}.*.npz")} if cache else {}
    if not kept:
        kept = _shots(path, head)
        if cache:
            cache.mkdir(parents=True, exist_ok=True)
            for start, seq in kept.items():
                seq.save(cache / f"{clip.name}.{start}.npz")
    end = max(start / seq.fps + seq.seconds for start, seq in kept.items())
    return Measurement.joined([(start / seq.fps, measure(seq, head, filmed=True)) for start, seq in sorted(kept.items())], end)


def _shots(path: Path, head: HeadModel) -> dict[int, FaceSequence]:
    """First frame and clip of every shot of the person seen most, and of those who are alone in their shots."""
    faces = sorted(fit_faces(path, head, every=True), key=lambda f: -sum(int(s.seq.valid.sum()) for s in f.shots))
    out = {shot.start: shot.seq for shot in faces[0].shots}
    for shot in (s for face in faces[1:] for s in face.shots):
        if all(shot.start >= start + len(seq) or start >= shot.start + len(shot.seq) for start, seq in out.items()):
            out[shot.start] = shot.seq
    return out


def _often(scores: dict[str, Score]) -> Score:
    return total({n: s for n, s in scores.items() if s.events >= SEEN_OFTEN})


def _row(score: Score) -> Row:
    return {"seen": score.events, "claimed": score.claims, "recall": score.recall, "precision": score.precision, "F1": score.f1,
            "onset, s": score.onset, "side right": score.side}
