"""How commanded facial motion unfolds in time: minimum-jerk strokes and measured durations.

Durations and rates, with their sources:

- The onset of a smile takes about half a second whatever the occasion (Schmidt, Cohn & Tian,
  "Signal characteristics of spontaneous facial expressions", Biol. Psychol. 65(1), 2003,
  https://doi.org/10.1016/s0301-0511(03)00098-x); deliberate ones are faster and larger (Schmidt,
  Ambadar, Cohn & Reed, "Movement differences between deliberate and spontaneous facial
  expressions", J. Nonverbal Behav. 30, 2006, https://doi.org/10.1007/s10919-005-0003-x).
- A blink closes in about 66 ms (voluntary ones in 77.6, SD 10.0; scleral search coil, n = 7), the closing 40 to 47 %
  faster than the opening (Ophthalmic Physiol. Opt. 28, 2008, p. 345). In 627 s of recorded ARKit takes (60 frames a
  second, at least four people, 126 blinks): closing 67 ms (quartiles 67-83), closed 17 (17-33), opening 117 (100-183).
  In all 0.1 to 0.4 s (VanderWerf et al., "Eyelid movements: behavioral studies of blinking in humans under different
  stimulus conditions", J. Neurophysiol. 89, 2003, https://doi.org/10.1152/jn.00557.2002).
- In the same takes 61 smiles had an onset of 0.37 s (0.18-0.88), an apex of 0.45 s (0.20-1.25) and an offset of 0.28 s
  (0.15-1.08); 37 inner brow raises 0.37, 0.77 and 2.27 s. Larger movements were faster: peak velocity and amplitude
  correlated with r = 0.44 (smile) and 0.69 (brow), as Schmidt, Cohn & Tian (2003, above) report of onset and offset.
- The first nod of a series grows with their number, amplitude declines from cycle to cycle, and the last is smaller
  than the trend (Mori, Den & Jokinen, PLoS ONE 20, 2025, e0323448).
- "Yes" and "no" are cyclic, symmetrical head movements (Hadar, Steiner & Clifford Rose, "Head
  movement during listening turns in conversation", J. Nonverbal Behav. 9, 1985,
  https://doi.org/10.1007/BF00986881); 1.2 to 2.1 Hz here, within the usual 1 to 3 Hz.
- Saccades follow the main sequence, about 2.2 ms per degree plus 21 ms (Bahill, Clark & Stark,
  "The main sequence, a tool for studying human eye movements", Math. Biosci. 24, 1975,
  https://doi.org/10.1016/0025-5564(75)90075-9; coefficients: Carpenter, "Movements of the
  Eyes", 2nd ed., 1988).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...face.clip.curves import minimum_jerk

BLINK = (0.08, 0.04, 0.16)
"""Closing, closed and opening time of a commanded blink, seconds; two frames at 25 a second close the lids."""
WINK = (0.1, 0.18, 0.2)
"""The same for a wink."""
RATES: dict[str, float] = {"nod": 1.6, "shake": 1.6, "talking": 4.2}
"""Cycles per second of cyclic actions whose script does not say how many cycles they have."""
_DECLINE, _MOST_DECLINE, _LAST = 0.12, 0.36, 0.88
"""A nod is smaller than the one before it by this share of the first, down to 1 minus this; the last is this share of that."""


def stroke(t: NDArray[np.float64], start: float, duration: float) -> NDArray[np.float64]:
    """A rise from 0 to 1 that begins at ``start`` and lasts ``duration`` seconds; ``t (T,)`` in seconds."""
    # times are rounded to a microsecond so that a start on a frame is that frame, not one later
    if duration <= 1e-6:
        return (t > start + 1e-6).astype(np.float64)
    return minimum_jerk(np.round((t - start) / duration, 6))


def envelope(t: NDArray[np.float64], start: float, rise: float, hold: float, fall: float | None) -> NDArray[np.float64]:
    """Onset, apex and offset in [0, 1], shape (T,). ``fall`` None stays at the apex for good."""
    return stroke(t, start, rise) - (0.0 if fall is None else stroke(t, start + rise + hold, fall))


def strokes(t: NDArray[np.float64], times: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Minimum-jerk strokes through ``values (K,)`` at ``times (K,)``, at rest at each of them.

    Before the first and after the last point the value stays constant. Shape (T,).
    """
    at, v = np.asarray(times, np.float64), np.asarray(values, np.float64)
    # superposed submovements (Flash & Henis, J. Cogn. Neurosci. 3(3), 1991,
    # https://doi.org/10.1162/jocn.1991.3.3.220): each stroke adds its own displacement
    now = np.clip(np.searchsorted(at, t, side="right") - 1, 0, len(at) - 2)  # strokes follow one another: one at a time
    return v[now] + np.diff(v)[now] * minimum_jerk(np.round((t - at[now]) / np.diff(at)[now], 6))


def repetitions(t: NDArray[np.float64], start: float, seconds: float, count: int, phases: tuple[float, float, float]
                ) -> NDArray[np.float64]:
    """``count`` onsets, apexes and offsets in ``seconds``, at rest between them; shape (T,).

    Args:
        phases: the durations of onset, apex (at most) and offset of each, s; shorter where there is no room for them.
            What is left is rest, as long as the apex where that is not limited.
    """
    rise, most, fall = phases
    if (fit := seconds / (count * (rise + fall))) < 1.0:
        rise, fall = rise * fit, fall * fit
    free = max(seconds - count * (rise + fall), 0.0)
    apex = min(most, free / max(2 * count - 1, 1))
    gap = (free - count * apex) / max(count - 1, 1)
    one = np.array([rise, apex, fall, gap])
    times = start + np.concatenate([[0.0], np.cumsum(np.tile(one, count))[:-1]])
    return strokes(t, times + 1e-9 * np.arange(len(times)), np.tile([0.0, 1.0, 1.0, 0.0], count))


def decline(count: int, size: float, least: float) -> NDArray[np.float64]:
    """Relative amplitudes (mean 1) of ``count`` nods of mean amplitude ``size``, none below ``least`` where that is possible.

    The smallest that a measurement still counts limits how far they decline.
    """
    if count == 1:
        return np.ones(1)
    w = 1.0 - np.minimum(_DECLINE * np.arange(count), _MOST_DECLINE)
    if _DECLINE * (count - 1) > _MOST_DECLINE:
        w = np.linspace(1.0, 1.0 - _MOST_DECLINE, count)
    w[-1] *= _LAST
    w /= w.mean()
    room = float(np.clip((1.0 - least / size) / (1.0 - w.min()), 0.0, 1.0))
    return 1.0 + room * (w - 1.0)


def main_sequence(amplitude_deg: float) -> float:
    """Duration in seconds of a saccade of ``amplitude_deg`` degrees."""
    return 0.021 + 0.0022 * abs(amplitude_deg)
