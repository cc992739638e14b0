"""How commanded facial motion unfolds in time: minimum-jerk strokes and measured durations.

Durations and rates, with their sources:

- The onset of a smile takes about half a second whatever the occasion (Schmidt, Cohn & Tian,
  "Signal characteristics of spontaneous facial expressions", Biol. Psychol. 65(1), 2003,
  https://doi.org/10.1016/s0301-0511(03)00098-x); deliberate ones are faster and larger (Schmidt,
  Ambadar, Cohn & Reed, "Movement differences between deliberate and spontaneous facial
  expressions", J. Nonverbal Behav. 30, 2006, https://doi.org/10.1007/s10919-005-0003-x).
- A blink closes in about 0.1 s and opens more slowly; 0.1 to 0.4 s in all (VanderWerf et al.,
  "Eyelid movements: behavioral studies of blinking in humans under different stimulus
  conditions", J. Neurophysiol. 89, 2003, https://doi.org/10.1152/jn.00557.2002).
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

BLINK = (0.12, 0.04, 0.16)
"""Closing, closed and opening time of a commanded blink, seconds."""
WINK = (0.16, 0.16, 0.16)
"""The same for a wink."""
RATES: dict[str, float] = {"nod": 1.6, "shake": 1.6, "talking": 4.2}
"""Cycles per second of cyclic actions whose script does not say how many cycles they have."""


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
    return v[0] + minimum_jerk(np.round((t[:, None] - at[:-1]) / np.diff(at), 6)) @ np.diff(v)


def main_sequence(amplitude_deg: float) -> float:
    """Duration in seconds of a saccade of ``amplitude_deg`` degrees."""
    return 0.021 + 0.0022 * abs(amplitude_deg)
