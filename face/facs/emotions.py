"""An emotion estimate over time from measured facial actions.

The combinations are EMFACS prototypes (Friesen & Ekman, "EMFACS-7: Emotional Facial Action
Coding System", 1983; Table 1 of Matsumoto & Ekman, "Facial expression analysis", Scholarpedia
3(5):4237, 2008, http://www.scholarpedia.org/article/Facial_expression_analysis): happiness 6+12,
sadness 1+15, anger 4+7+24, fear 1+2+5+20, surprise 1+2+5+26, disgust 9+10, contempt a
one-sided 12 or 14. It says what a face shows, not what a person feels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..clip.curves import runs
from .poses import EMOTION_POSES
from .signals import pose_signals
from .timeline import Level, find_levels
from .vocabulary import EMOTION_ACTIONS, EMOTIONS

Array = NDArray[np.float32]

SHOWN = 0.26
"""Score from which a frame counts as showing an emotion: half of a two-part prototype alone gives 0.25."""
FAINT = 0.26
"""The same relative to the score of the emotion's full pose."""
_SHARE, _SECONDS = 0.15, 1.0
"""A clip has an emotion that is shown for this share of it, or for so many seconds."""
UNCLEAR = "unclear"
"""What is shown where two emotions fit as well."""
MIN_SECONDS = 0.2
"""Shorter stretches are part of their neighbours."""


@dataclass(frozen=True)
class EmotionSegment:
    """A stretch with one emotion. Times in seconds, confidence and strength in [0, 1]."""

    name: str
    start: float
    end: float
    confidence: float
    strength: float = 0.0
    """Share of the emotion's full pose at the strongest moment; 0 for neutral."""
    levels: tuple[Level, ...] = ()
    """Where its strength stays, when that is at several levels."""


@dataclass(frozen=True)
class EmotionEstimate:
    """Dominant emotion and the whole clip as consecutive segments."""

    dominant: str
    timeline: tuple[EmotionSegment, ...]

    def between(self, start: float, end: float) -> EmotionEstimate:
        """The estimate of some seconds of the clip, with times from their start."""
        return EmotionEstimate.over([replace(s, start=max(s.start, start) - start, end=min(s.end, end) - start)
                                     for s in self.timeline if s.end > start and s.start < end], end - start)

    @classmethod
    def over(cls, timeline: Sequence[EmotionSegment], seconds: float) -> EmotionEstimate:
        """The estimate of a clip of so many seconds from its segments."""
        weight: dict[str, float] = {}
        for s in timeline:
            weight[s.name] = weight.get(s.name, 0.0) + (s.end - s.start) * (s.name != "neutral")
        name = max(weight, key=lambda n: weight[n], default="neutral")
        return cls(name if weight.get(name, 0.0) >= min(_SHARE * seconds, _SECONDS) else "neutral", tuple(timeline))


def _prototype(parts: list[Array], key: list[Array]) -> Array:
    """Mean of all parts, and the weakest of those without which it is another face."""
    return 0.5 * np.mean(parts, axis=0) + 0.5 * np.min(key, axis=0)


def scores(intensity: dict[str, Array]) -> Array:
    """(T, 8) score in [0, 1] of each emotion of EMOTIONS; neutral is what no other one claims.

    Args:
        intensity: (T,) signals by action name (missing ones are zero), full scale 1; the two
            sides of the smile as ``smile_left`` and ``smile_right``.
    """
    n = len(next(iter(intensity.values())))
    rest = np.zeros(n, np.float32)

    def of(name: str) -> Array:
        return np.clip(intensity.get(name, rest), 0.0, 1.0)

    left, right = of("smile_left"), of("smile_right")
    both, one = np.minimum(left, right), np.abs(left - right)
    brows = np.maximum(of("brow_raise"), 0.8 * of("inner_brow_raise"))
    # a stretched mouth is fear's, a dropped jaw surprise's
    jaw, stretch = of("mouth_open"), of("lip_stretch")
    by_name = {
        "happiness": both * (0.8 + 0.2 * np.minimum(of("squint") / 0.5, 1.0)),
        "sadness": _prototype(
            [of("inner_brow_raise"), of("lip_corner_depress")], [of("inner_brow_raise"), of("lip_corner_depress")]
        ),
        "anger": _prototype(
            [of("brow_lower"), of("squint"), of("lip_press")], [of("brow_lower"), np.maximum(of("squint"), of("lip_press"))]
        ),
        "fear": _prototype([brows, of("eye_widen"), stretch], [brows, stretch]),
        "surprise": _prototype([of("brow_raise"), of("eye_widen"), jaw], [of("brow_raise"), jaw]) * (1.0 - 0.5 * stretch),
        "disgust": _prototype([of("nose_wrinkle"), of("upper_lip_raise")], [of("nose_wrinkle"), of("upper_lip_raise")]),
        # asymmetric style moves the two sides of an ordinary smile apart by a few percent only
        "contempt": np.where(one > 0.5 * np.maximum(left, right), one, 0.0),
    }
    felt = np.stack([by_name[e] for e in EMOTIONS if e != "neutral"], axis=1)
    return np.concatenate([1.0 - felt.max(axis=1, keepdims=True), felt], axis=1).astype(np.float32)


_FULL_SIGNALS = {e: pose_signals(EMOTION_POSES[e]) for e in EMOTIONS}
_FULL_SCORE = np.array([max(float(scores({k: np.array([v], np.float32) for k, v in _FULL_SIGNALS[e].items()})[0, i]), 0.5)
                        for i, e in enumerate(EMOTIONS)], np.float32)
"""The score of each emotion's full pose."""


def strength(intensity: dict[str, Array], emotion: str) -> Array:
    """(T,) share of an emotion's full pose: of its defining actions' shares the lower median.

    So neither an action that is performed beside the emotion nor one that a closing lid hides changes it. Happiness
    goes by the smile alone: one without raised cheeks counts as happy, too.
    """
    full, rest = _FULL_SIGNALS[emotion], np.zeros(len(next(iter(intensity.values()))), np.float32)

    def of(name: str) -> Array:
        if name == "smile" and emotion == "happiness":
            return 0.5 * (intensity.get("smile_left", rest) + intensity.get("smile_right", rest))
        return intensity.get(name, rest)

    parts = np.sort([of(a) / full[a] for a in EMOTION_ACTIONS[emotion][: 1 if emotion == "happiness" else None]], axis=0)
    return np.clip(parts[(len(parts) - 1) // 2], 0.0, 1.0)


def estimate_emotion(intensity: dict[str, Array], fps: float, close: float = 0.0, least: float | None = None,
                     moved: NDArray[np.bool_] | None = None) -> EmotionEstimate:
    """The emotion timeline of a clip.

    Args:
        intensity: see :func:`scores`.
        fps: frames a second.
        close: where the second best score is less than this share of the best one below it, the emotion is ``unclear``.
        least: score from which an emotion is shown; None: also what is faint beside nothing else.
        moved: ``(T,)`` frames in which something happens that is part of emotions; without one, they are unclear, not neutral.
    """
    score = scores(intensity)
    felt = score[:, 1:]
    best, second = -np.sort(-felt, axis=1)[:, :2].T
    unclear = (best >= (least or SHOWN)) & (second > (1.0 - close) * best)
    label = np.where(felt.max(axis=1) >= (least or SHOWN), felt.argmax(axis=1) + 1, 0)
    # A faint expression scores low where the full one does (anger: 0.76); one that no clear expression
    # is next to is taken relative to the full pose.
    share = felt / _FULL_SCORE[1:]
    faint = np.where((share.max(axis=1) >= FAINT) & (label == 0) & (least is None), share.argmax(axis=1) + 1, 0)
    for a, b in runs(faint > 0):
        if not label[max(a - 1, 0) : b + 1].any():
            label[a:b] = faint[a:b]
    label[unclear | (moved & (label == 0) if moved is not None else False)] = len(EMOTIONS)
    score = np.concatenate([score, best[:, None]], axis=1)
    n = len(label)
    shortest = max(1, int(round(MIN_SECONDS * fps)))
    pieces = [(int(label[a]), a, b) for e in np.unique(label) for a, b in runs(label == e)]
    pieces.sort(key=lambda p: p[1])
    kept: list[tuple[int, int, int]] = []
    for e, a, b in pieces:
        if kept and (b - a < shortest or kept[-1][0] == e):
            kept[-1] = (kept[-1][0], kept[-1][1], b)
        else:
            kept.append((e, a, b))
    if len(kept) > 1 and kept[0][2] - kept[0][1] < shortest:
        kept = [(kept[1][0], 0, kept[1][2]), *kept[2:]]
    names = (*EMOTIONS, UNCLEAR)
    timeline = tuple(_segment(names[e], a, b, score[a:b, e], intensity, fps) for e, a, b in kept)
    weight = {e: sum(float(score[a:b, e].sum()) for k, a, b in kept if k == e) for e in {k for k, _, _ in kept} if e != 0}
    strongest = max(weight, key=lambda e: weight[e]) if weight else 0
    # a flicker of expression in a long clip does not make it that emotion
    shown = sum(b - a for k, a, b in kept if k == strongest)
    dominant = strongest if weight and shown >= min(_SHARE * n, _SECONDS * fps) else 0
    return EmotionEstimate(names[dominant], timeline)


def _segment(name: str, a: int, b: int, score: Array, intensity: dict[str, Array], fps: float) -> EmotionSegment:
    confidence = float(np.clip(score.mean(), 0.0, 1.0))
    if name in ("neutral", UNCLEAR):
        return EmotionSegment(name, a / fps, b / fps, confidence)
    share = strength(intensity, name)
    return EmotionSegment(name, a / fps, b / fps, confidence, float(share[a:b].max()), find_levels(share, a, b, fps))
