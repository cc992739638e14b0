"""From a signal over time to segments with onset, apex and offset, and to oscillations.

Pure NumPy on 1-D signals sampled at a constant rate; knows nothing about faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clip.curves import runs

Array = NDArray[np.float32]

# A minimum-jerk movement (Flash & Hogan 1985, https://doi.org/10.1523/JNEUROSCI.05-07-01688.1985)
# passes 10 % of its amplitude at 0.2472 of its duration and 50 % at 0.5, so its start lies
# 0.2472 / (0.5 - 0.2472) times the 10-to-50 % time before the 10 % crossing. The factor is
# within 0.1 of a movement's duration for a raised cosine and for a logistic, too.
_EXTRAPOLATE = 0.2472 / (0.5 - 0.2472)
_REST = 0.1
"""A change per second below this share of full scale is rest."""
_STAYS, _LEVEL_SECONDS, _LEVEL_STEP = 0.3, 0.24, 0.12
"""A level changes by less than this share a second, for at least this long, and differs by this from the one before."""


@dataclass(frozen=True)
class Segment:
    """A stretch in which a signal is on. Times in seconds."""

    start: int
    """First frame above the off threshold."""
    stop: int
    """One past the last frame above it."""
    peak: float
    onset: float
    """When the motion begins."""
    apex: float
    """When it reaches its level for the first time."""
    offset: float
    """When it is back at rest (the clip's end when it stays)."""


@dataclass(frozen=True)
class Oscillation:
    """A chain of alternating swings of a signal. Times in seconds."""

    onset: float
    apex: float
    offset: float
    amplitude: float
    """Mean deflection from the level at which it began (signal's unit)."""
    swings: int
    """Number of swings: 2 N for N dips from rest, 2 N + 1 for N full swings about rest."""
    hertz: float
    first: float
    """Sign of the first swing."""

    @property
    def cycles(self) -> int:
        """Whole cycles, at least one."""
        return max(1, self.swings // 2)


def hysteresis(signal: Array, on: float, off: float, min_frames: int = 1) -> list[tuple[int, int]]:
    """Ranges above ``off`` that exceed ``on`` somewhere and last ``min_frames`` or more."""
    if float(signal.max(initial=0.0)) < on:
        return []
    return [(a, b) for a, b in runs(signal > off) if b - a >= min_frames and float(signal[a:b].max()) >= on]


def _crossing(signal: Array, index: int, level: float) -> float:
    """Fractional frame at which the signal passes ``level`` between index-1 and index."""
    low, high = float(signal[index - 1]), float(signal[index])
    return index - 1 + (level - low) / (high - low) if high != low else float(index)


def rise_times(signal: Array, start: int, stop: int, on: float, fps: float) -> tuple[float, float]:
    """Onset and apex, in fractional frames, of the rise into ``signal[start:stop]``.

    The 10, 50 and 90 % crossings between the level before the rise and the segment's plateau are
    extrapolated to the ends of the movement.

    Args:
        signal: (T,).
        start, stop: the segment, half open.
        on: the level that makes it an action; a weaker plateau before the rise is no part of it.
        fps: frames a second.
    """
    peak = float(signal[start:stop].max())
    flat = _REST / fps
    base_at = start + int(np.argmax(signal[start:stop] >= max(0.4 * peak, min(on, peak))))
    reach = max(1, round(0.1 * fps))
    while base_at > 0:
        # look past ripples of up to a tenth of a second
        earliest = max(base_at - reach, 0)
        lower = earliest + int(np.argmin(signal[earliest:base_at]))
        if float(signal[base_at]) - float(signal[lower]) <= max(flat * (base_at - lower), 0.02):
            break
        base_at = lower
    base = float(signal[base_at])
    # the plateau rather than its highest ripple
    body = signal[start:stop]
    amplitude = float(np.median(body[body >= 0.8 * peak])) - base
    if (base_at == 0 and base > 0.35 * peak) or amplitude <= 0.0:
        # Already on in the first frame: it began with the clip.
        return float(start), float(start + int(np.argmax(signal[start:stop] >= 0.97 * peak)))
    upto = signal[base_at:stop]
    half = base_at + int(np.argmax(upto >= base + 0.5 * amplitude))
    before = np.flatnonzero(signal[base_at : half + 1] < base + 0.1 * amplitude)
    tenth = base_at + int(before[-1]) + 1 if len(before) else base_at + 1
    most = base_at + int(np.argmax(upto >= base + 0.9 * amplitude))
    t10 = _crossing(signal, tenth, base + 0.1 * amplitude) if tenth > 0 else 0.0
    t50 = _crossing(signal, half, base + 0.5 * amplitude) if half > 0 else 0.0
    t90 = _crossing(signal, most, base + 0.9 * amplitude) if most > 0 else 0.0
    # not before the last rest: a movement in two steps would be extrapolated too far
    onset = max(t10 - _EXTRAPOLATE * max(t50 - t10, 0.0), base_at - 0.2 * fps, 0.0)
    apex = t90 + min(_EXTRAPOLATE * max(t90 - t50, 0.0), 0.4 * fps)
    return onset, min(apex, float(stop - 1))


def find_segments(signal: Array, fps: float, on: float, off: float, min_seconds: float = 0.0) -> list[Segment]:
    """Segments of ``signal (T,)`` with their times.

    Args:
        signal: (T,), as a share of full scale.
        fps: frames a second.
        on, off: hysteresis thresholds.
        min_seconds: shorter segments are dropped.
    """
    n = len(signal)
    out = []
    shortest = min(max(1, int(round(min_seconds * fps))), n)  # a single frame is a picture: all of it counts
    for a, b in hysteresis(signal, on, off, shortest):
        onset, apex = rise_times(signal, a, b, on, fps)
        if b >= n:
            offset = float(n)
        else:
            end, _ = rise_times(signal[::-1], n - b, n - a, on, fps)
            offset = (n - 1) - end
        apex = min(max(apex, onset), offset)
        out.append(Segment(a, b, float(signal[a:b].max()), onset / fps, apex / fps, max(offset, onset) / fps))
    return out


@dataclass(frozen=True)
class Level:
    """A stretch in which a signal stays where it is. Times in seconds."""

    start: float
    end: float
    value: float


def find_levels(signal: Array, start: int, stop: int, fps: float) -> tuple[Level, ...]:
    """The levels at which ``signal[start:stop]`` stays, where there are several; a smile that widens has two.

    Args:
        signal: (T,), as a share of full scale.
        start, stop: frames of the segment, half open.
        fps: frames a second.
    """
    reach = max(1, round(0.08 * fps))
    body = signal[start:stop]
    if len(body) <= 2 * reach:
        return ()
    # the change over a sixth of a second, so that tremor is no movement
    change = np.abs(body[2 * reach :] - body[: -2 * reach]) * fps / (2 * reach)
    out: list[Level] = []
    for a, b in runs(change < _STAYS):
        if b - a < _LEVEL_SECONDS * fps:
            continue
        value = float(np.median(body[a + reach : b + reach]))
        now = Level((start + a + reach) / fps, (start + b + reach) / fps, value)
        if out and abs(out[-1].value - value) < _LEVEL_STEP:
            out[-1] = Level(out[-1].start, now.end, out[-1].value)
        else:
            out.append(now)
    return tuple(out) if len(out) > 1 else ()


def turning_points(signal: Array, prominence: float) -> list[int]:
    """Indices of alternating extrema that differ by at least ``prominence`` (a zigzag filter)."""
    values = signal.tolist()
    low = high = 0
    direction = 0
    out: list[int] = []
    for i, v in enumerate(values):
        if v > values[high]:
            high = i
        if v < values[low]:
            low = i
        if direction >= 0 and values[high] - v >= prominence:
            out.append(high)
            direction, low = -1, i
            high = i
        elif direction <= 0 and v - values[low] >= prominence:
            out.append(low)
            direction, high = 1, i
            low = i
    if direction > 0:
        out.append(high)
    elif direction < 0:
        out.append(low)
    return out


def find_oscillations(signal: Array, fps: float, prominence: float, max_half: float, min_swings: int) -> list[Oscillation]:
    """Chains of swings that follow each other within ``max_half`` seconds.

    A swing's time is its half-way crossing, so that a rest before the first or after the last
    swing does not count.

    Args:
        signal: (T,).
        fps: frames a second.
        prominence: smallest swing, in the signal's unit.
        max_half: longest time between the half-way crossings of neighbouring swings, s.
        min_swings: fewest swings of a chain.
    """
    if len(signal) < 3 or float(np.ptp(signal)) < prominence:
        return []
    points = turning_points(signal, prominence)
    if len(points) < min_swings:
        return []
    swings: list[_Swing] = []
    for a, b in zip(points[:-1], points[1:], strict=True):
        stops = _rests_between(signal, a, b, fps, prominence)
        swings += [_swing(signal, i, j, fps, prominence) for i, j in zip([a, *stops], [*stops, b], strict=True)]
    chains: list[list[_Swing]] = [[swings[0]]]
    for before, now in zip(swings[:-1], swings[1:], strict=True):
        if now.t50 - before.t50 <= max_half and now.sign != before.sign:
            chains[-1].append(now)
        else:
            chains.append([now])
    return [_oscillation(c) for c in chains if len(c) >= min_swings]


@dataclass(frozen=True)
class _Swing:
    """One movement between two turning points: crossing times in seconds, levels in the signal's unit."""

    t10: float
    t50: float
    t90: float
    before: float
    after: float

    @property
    def sign(self) -> float:
        return 1.0 if self.after > self.before else -1.0


def _rests_between(signal: Array, a: int, b: int, fps: float, prominence: float) -> list[int]:
    """Ends of rests inside the movement from ``a`` to ``b``: the return from a turn, a rest, then a nod's first dip."""
    if b - a < 0.25 * fps:
        return []
    still = np.abs(np.diff(signal[a : b + 1])) * fps < 1.5 * prominence
    out = []
    for i, j in runs(still):
        level = float(signal[a + j])
        inside = min(abs(level - float(signal[a])), abs(level - float(signal[b]))) >= prominence
        if j - i >= 0.1 * fps and inside:
            out.append(a + j)
    return out


def _swing(signal: Array, a: int, b: int, fps: float, prominence: float) -> _Swing:
    """The movement from ``a`` to ``b`` without the slow drift before and after it."""
    halfway = 0.5 * (float(signal[a]) + float(signal[b]))
    upward = float(signal[b]) > float(signal[a])
    middle = a + int(np.argmax(signal[a : b + 1] >= halfway if upward else signal[a : b + 1] <= halfway))
    slow = np.abs(np.diff(signal[a : b + 1])) * fps < prominence
    early, late = np.flatnonzero(slow[: middle - a]), np.flatnonzero(slow[middle - a :])
    a, b = (a + int(early[-1]) + 1 if len(early) else a), (middle + int(late[0]) if len(late) else b)
    piece = signal[a : b + 1]
    if len(piece) < 2 or piece[0] == piece[-1]:
        return _Swing(
            middle / fps, middle / fps, middle / fps, float(signal[a]), float(signal[b]) + (1e-6 if upward else -1e-6)
        )
    before, after = float(piece[0]), float(piece[-1])
    done = (piece - before) / (after - before)
    half = max(int(np.argmax(done >= 0.5)), 1)
    low = np.flatnonzero(done[:half] < 0.1)
    tenth = int(low[-1]) + 1 if len(low) else 1
    most = max(int(np.argmax(done >= 0.9)), 1)
    t10, t50, t90 = (a + _crossing(done, i, x) for i, x in ((tenth, 0.1), (half, 0.5), (most, 0.9)))
    return _Swing(t10 / fps, t50 / fps, t90 / fps, before, after)


def _oscillation(chain: list[_Swing]) -> Oscillation:
    first, last = chain[0], chain[-1]
    away = np.abs(np.array([s.after for s in chain[:-1]]) - first.before)
    top = float(away.max())
    span = last.t50 - first.t50
    return Oscillation(
        onset=max(first.t10 - _EXTRAPOLATE * (first.t50 - first.t10), 0.0),
        apex=chain[int(np.argmax(away))].t90,
        offset=last.t90 + _EXTRAPOLATE * (last.t90 - last.t50),
        amplitude=float(away[away > 0.5 * top].mean()) if top > 0 else 0.0,
        swings=len(chain),
        hertz=(len(chain) - 1) / (2.0 * span) if span > 0 else 0.0,
        first=first.sign,
    )
