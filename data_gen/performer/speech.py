"""Mouth movement that looks like talking: a seeded syllable stream, coarticulated.

Each syllable is a consonant and a vowel with a target for the jaw and the lips. Targets
blend by dominance, each segment's influence falling off exponentially around its centre
(Cohen & Massaro, "Modeling coarticulation in synthetic visual speech", in Models and
Techniques in Computer Animation, Springer 1993, https://doi.org/10.1007/978-4-431-66911-1_13),
so that lips round before a rounded vowel and never jump.

People speak 3 to 6 syllables a second, and the jaw closes between them (MacNeilage, "The
frame/content theory of evolution of speech production", Behav. Brain Sci. 21(4), 1998,
https://doi.org/10.1017/S0140525X98001265).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dynamics import minimum_jerk

# jaw opening (share of the action's amplitude), rounding, spreading, pressing
_SOUNDS: dict[str, tuple[float, float, float, float]] = {
    "a": (1.0, 0.0, 0.0, 0.0), "i": (0.65, 0.0, 0.40, 0.0), "o": (0.75, 0.55, 0.0, 0.0),
    "m": (0.0, 0.0, 0.0, 0.30), "t": (0.12, 0.0, 0.05, 0.0)}
_FRAMES, _REACH = 256, 6.0
"""Frames that are computed together; syllables within which sounds have an influence (``exp(-7.5 * 6)``)."""


def syllables(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """A stream of ``count`` (consonant, vowel) pairs."""
    vowels = rng.choice(["a", "i", "o"], size=count, p=(0.45, 0.3, 0.25))
    consonants = rng.choice(["m", "t"], size=count, p=(0.35, 0.65))
    return [(str(c), str(v)) for c, v in zip(consonants, vowels, strict=True)]


def speak(t: NDArray[np.float64], start: float, duration: float, stream: list[tuple[str, str]]
          ) -> dict[str, NDArray[np.float64]]:
    """Channel tracks of one utterance.

    Args:
        t: (T,) frame times, seconds.
        start: begin of the utterance, seconds.
        duration: its length, seconds, more than 0.
        stream: the syllables, spread evenly over the duration.

    Returns:
        ``jaw`` and the channels of the lips, each (T,) in [0, 1], exactly 0 outside the utterance.
    """
    n = len(stream)
    if n == 0 or duration <= 0.0:
        raise ValueError(f"speech: {n} syllables in {duration:g} s; allowed: at least 1 in more than 0 s")
    period = duration / n
    # the consonant opens the syllable, the vowel's centre lies in the middle of it; at the end the mouth is at rest
    targets = np.array([_SOUNDS[sound] for pair in stream for sound in pair] + [(0.0, 0.0, 0.0, 0.0)])
    centres = np.append(start + period * np.arange(2 * n) / 2.0, start + duration)
    theta = 7.5 / period  # decay per second: neighbours keep a few percent of influence at a centre
    lips = np.zeros((len(t), targets.shape[1]))
    for low in range(0, len(t), _FRAMES):  # what is far away has no influence: an hour of speech takes no more memory
        now = t[low:low + _FRAMES]
        near = np.abs(centres - now.mean()) <= 0.5 * np.ptp(now) + _REACH * period
        if near.any():
            dominance = np.exp(-theta * np.abs(now[:, None] - centres[near]))
            lips[low:low + _FRAMES] = (dominance @ targets[near]) / dominance.sum(axis=1, keepdims=True)
    edge = min(0.5 * period, 0.12)
    gate = (minimum_jerk(np.round((t - start) / edge, 6)) * minimum_jerk(np.round((start + duration - t) / edge, 6)))
    jaw, rounding, spreading, pressing = (lips * gate[:, None]).T
    return {"jaw": jaw, "mouthPucker": rounding, "mouthFunnel": 0.6 * rounding,
            "mouthStretchLeft": spreading, "mouthStretchRight": spreading,
            "mouthPressLeft": pressing, "mouthPressRight": pressing}
