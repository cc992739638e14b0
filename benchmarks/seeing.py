"""What is measured on real footage against what annotators saw in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tqdm import tqdm

from ..data_gen.fit.fit import fit_media
from ..eval.seeing.annotations import annotated_clips
from ..eval.seeing.footage import known_footage, measured
from ..eval.seeing.score import Score, agreement, claims_of, felt_times, reliability, rest_claims, score_clip, summed, total
from ..face.facs.measure import measure
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
    paths = known_footage(footage, {c.sha256 for c in clips})
    head = HeadModel.default()
    scores: dict[str, dict[str, Score]] = {}
    rows: list[Row] = []
    false_at_rest, rest = 0, 0.0
    felt: dict[tuple[str, str], float] = {}
    sure: list[tuple[float, bool]] = []
    for clip in tqdm(clips, disable=None):
        if clip.sha256 not in paths:
            continue
        found = measured(clip, paths[clip.sha256], head, cache)
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


def _often(scores: dict[str, Score]) -> Score:
    return total({n: s for n, s in scores.items() if s.events >= SEEN_OFTEN})


def _row(score: Score) -> Row:
    return {"seen": score.events, "claimed": score.claims, "recall": score.recall, "precision": score.precision, "F1": score.f1,
            "onset, s": score.onset, "side right": score.side}
