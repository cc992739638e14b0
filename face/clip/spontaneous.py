"""Idle motion: what a living face does without meaning anything by it, and how to take it away.

:func:`add_idle` puts spontaneous blinks, fixational eye movement, head drift and micro-movement
on a clip; :func:`filter_idle` removes what is too small to be meant. Rates and sizes:

- Blinks: 17 a minute at rest on average (Bentivoglio et al., "Analysis of blink rate patterns in
  normal subjects", Mov. Disord. 12(6), 1997, https://doi.org/10.1002/mds.870120629). A blink
  closes in about 0.1 s and opens in about 0.2 s (VanderWerf et al., J. Neurophysiol. 89, 2003,
  https://doi.org/10.1152/jn.00557.2002).
- Microsaccades: 1 to 2 a second, below 1 degree (Martinez-Conde, Macknik & Hubel, "The role of
  fixational eye movements in visual perception", Nat. Rev. Neurosci. 5, 2004,
  https://doi.org/10.1038/nrn1348).
- Saccades are mostly small, with exponentially distributed magnitudes (Lee, Badler & Badler,
  "Eyes alive", ACM TOG 21(3), 2002, https://doi.org/10.1145/566654.566629). The idle ones stay
  within 2.5 degrees: an observer takes gaze within about 4 degrees as directed at himself (Gamer &
  Hecht, "Are you looking at me? Measuring the cone of gaze", J. Exp. Psychol. HPP 33(3), 2007,
  https://doi.org/10.1037/0096-1523.33.3.705), so larger ones would mean something.
- Head drift: slow (below 0.5 Hz) and at most 1 degree; a choice, not a published figure.
"""

from __future__ import annotations

from math import radians
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from .channels import EXPR_INDEX, EXPR_NAMES, STREAMS
from .curves import minimum_jerk, runs
from .sequence import FaceSequence

Array = NDArray[np.float64]
_BLINK = (EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"])
_MUTED = [EXPR_INDEX[n] for n in ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight")]


Amount = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True, config=SETTINGS)
class IdleConfig:
    """What the idle layer adds, and below which size motion counts as idle."""

    blink_rate: Amount = 17.0
    """Spontaneous blinks a minute; 0 for none."""
    blink_spread: Amount = 0.65
    """Standard deviation of the logarithm of the intervals between blinks."""
    saccade_rate: Amount = 0.5
    """Small gaze shifts a second."""
    saccade_limit: Amount = 2.5
    """Largest distance of idle gaze from where it should be, degrees."""
    microsaccade_rate: Amount = 1.5
    """Microsaccades a second; each below 1 degree."""
    head_drift: Amount = 1.0
    """Bound of the head's drift about each axis, degrees."""
    noise: Amount = 0.006
    """Standard deviation of micro-movement in expression channels, share of full action."""
    dead_expr: Amount = 0.06
    """Expression motion smaller than this (share of full action; about 0.3-0.6 mm at the lips) is idle."""
    dead_head: Amount = 1.5
    """Head motion smaller than this is idle, degrees."""
    dead_gaze: Amount = 3.5
    """Gaze motion smaller than this is idle, degrees."""
    dead_jaw: Amount = 0.8
    """Jaw motion smaller than this is idle, degrees (about 1 mm at the chin)."""
    dead_translation: Amount = 0.004
    """Translation smaller than this is idle, metres."""
    blinks: bool = False
    """Whether the filter also removes blinks (of both eyes, up to 0.5 s); commanded ones go with them."""


def add_idle(seq: FaceSequence, seed: int, config: IdleConfig | None = None) -> FaceSequence:
    """A clip with the idle layer on top; the same for the same seed.

    No blink falls on eyes that are closed or closing, and idle gaze shrinks while gaze is
    directed somewhere. A clip whose expression columns are not the ARKit ones gets eye and head
    movement only.

    Args:
        seq: any clip.
        seed: of the idle layer.
        config: rates and sizes; None is the default.
    """
    cfg = config or IdleConfig()
    rng = np.random.default_rng(seed)
    frames, t = len(seq), np.arange(len(seq)) / seq.fps
    expr, neck, eyes = (np.array(a, np.float64) for a in (seq.expr, seq.neck_pose, seq.eyes_pose))
    eyes += np.tile(_idle_gaze(rng, t, eyes, cfg), 2)
    neck += _drift(rng, t, radians(cfg.head_drift))
    if expr.shape[1] == len(EXPR_NAMES):
        # tonus only ever adds to a channel; slower than 1 Hz so that it is not flicker
        knots = max(2, int(np.ceil(frames / seq.fps * 2.0)) + 1)
        coarse = rng.normal(0.0, cfg.noise, (knots, expr.shape[1]))
        expr += np.maximum(_resample(coarse, t * 2.0), 0.0)
        # a bounded channel; values beyond 1 that were there before stay
        np.minimum(expr, np.maximum(seq.expr, 1.0), out=expr)
        curve = _blinks(rng, t, np.asarray(seq.expr[:, _BLINK], np.float64).max(axis=1), cfg)
        expr[:, _BLINK] = np.maximum(expr[:, _BLINK], curve[:, None])
        expr[:, _MUTED] *= (1.0 - curve)[:, None]
    fields = {"expr": expr, "neck_pose": neck, "eyes_pose": eyes}
    return seq.replace(**{k: v.astype(np.float32) for k, v in fields.items()})


def _resample(knots: Array, position: Array) -> Array:
    """Smooth curves through ``knots (K, C)`` at fractional indices ``position (T,)``."""
    index = np.minimum(position.astype(int), len(knots) - 2)
    u = np.clip(position - index, 0.0, 1.0)[:, None]
    u = u * u * (3.0 - 2.0 * u)
    return np.asarray(knots[index] * (1.0 - u) + knots[index + 1] * u)


def _drift(rng: np.random.Generator, t: Array, bound: float) -> Array:
    """Slow head drift about three axes, (T, 3) rad, never beyond ``bound``."""
    waves = 4
    frequency = rng.uniform(0.05, 0.35, (waves, 3))
    phase = rng.uniform(0.0, 2.0 * np.pi, (waves, 3))
    weight = rng.dirichlet(np.ones(waves), 3).T * np.array([1.0, 1.0, 0.6])
    angle = 2.0 * np.pi * frequency * t[:, None, None] + phase
    return np.asarray(bound * (weight * np.sin(angle)).sum(axis=1))


def _times(rng: np.random.Generator, seconds: float, rate: float, draw: float = 3.0) -> Array:
    """Renewal process with gamma intervals (less clustered than Poisson), stationary from the start."""
    if rate <= 0.0:
        return np.zeros(0)
    count = int(seconds * rate * 1.5) + 60
    times = np.cumsum(rng.gamma(draw, 1.0 / (draw * rate), count)) - 10.0 / rate
    return np.asarray(times[(times >= 0.0) & (times < seconds)])


def _idle_gaze(rng: np.random.Generator, t: Array, eyes: Array, cfg: IdleConfig) -> Array:
    """Fixational movement, (T, 3) rad (pitch, yaw, 0)."""
    seconds = float(t[-1]) + 1.0
    shift, micro = _times(rng, seconds, cfg.saccade_rate), _times(rng, seconds, cfg.microsaccade_rate)
    angle = rng.uniform(0.0, 2.0 * np.pi, len(shift))
    size = np.minimum(rng.exponential(cfg.saccade_limit / 3.0, len(shift)), cfg.saccade_limit)
    places = np.stack([0.6 * np.sin(angle), np.cos(angle)], axis=1) * size[:, None]
    angle = rng.uniform(0.0, 2.0 * np.pi, len(micro))
    away = np.minimum(rng.exponential(0.3, len(micro)), 0.45)  # from one side to the other is still below 1 degree
    jumps = away[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    gaze = _steps(t, shift, places) + _steps(t, micro, jumps)
    length = np.linalg.norm(gaze, axis=1, keepdims=True)
    gaze *= np.minimum(1.0, cfg.saccade_limit / np.maximum(length, 1e-9))
    meant = np.abs(eyes).max(axis=1, keepdims=True) > radians(2.0)
    gaze *= np.where(meant, 0.35, 1.0)
    return np.radians(np.concatenate([gaze, np.zeros((len(t), 1))], axis=1))


def _steps(t: Array, at: Array, places: Array) -> Array:
    """Position that jumps to ``places (K, 2)`` at times ``at (K,)`` within 0.03 s; starts at 0."""
    if len(at) == 0:
        return np.zeros((len(t), 2))
    previous = np.concatenate([np.zeros((1, 2)), places[:-1]])
    times = np.stack([at, at + 0.03], axis=1).ravel()
    values = np.stack([previous, places], axis=1).reshape(-1, 2)
    order = np.maximum.accumulate(times)
    return np.stack([np.interp(t, order, values[:, i]) for i in range(2)], axis=1)


def _blinks(rng: np.random.Generator, t: Array, closed: Array, cfg: IdleConfig) -> Array:
    """Lid closure by spontaneous blinks, (T,) in [0, 1], none where the lids are in use."""
    out = np.zeros(len(t))
    if cfg.blink_rate <= 0.0:
        return out
    mean, spread = 60.0 / cfg.blink_rate, cfg.blink_spread
    seconds = float(t[-1]) + 1.0
    count = int(seconds / mean * 2.0) + 40
    intervals = np.maximum(rng.lognormal(np.log(mean) - 0.5 * spread**2, spread, count), 0.6)
    starts = np.cumsum(intervals) - 10.0 * mean
    starts = starts[(starts >= 0.0) & (starts < float(t[-1]))]
    close, shut, open_ = 0.09, 0.03, rng.uniform(0.14, 0.22, len(starts))
    busy = np.concatenate([[0.0], np.cumsum(closed > 0.05)])
    first = np.searchsorted(t, starts - 0.2)
    last = np.searchsorted(t, starts + 0.6)
    free = busy[last] - busy[first] == 0.0
    for start, opening in zip(starts[free], open_[free], strict=True):  # a few dozen per minute
        i, j = np.searchsorted(t, [start, start + close + shut + opening])
        local = t[i:j] - start
        out[i:j] = np.minimum(minimum_jerk(local / close), 1.0 - minimum_jerk((local - close - shut) / opening))
    return out


# -- taking it away ---------------------------------------------------------------------------
_REST = 0.75  # a channel that stands still within this share of its dead zone is at rest


def filter_idle(seq: FaceSequence, config: IdleConfig | None = None) -> FaceSequence:
    """The meant part of a clip: drift, small saccades and noise removed, rest exactly constant.

    A play (backlash) operator run forwards and backwards finds where each region really moves:
    it stands still until the signal leaves its dead zone. Between movements a channel is
    constant (its median there, exactly 0 when that is small); movements
    keep their shape and are shifted to join the constants on both sides. Not causal.

    Args:
        seq: any clip; regions are known for ARKit columns, otherwise all expression columns are one.
        config: dead zones; None is the default.
    """
    cfg = config or IdleConfig()
    expr = np.array(seq.expr, np.float64)
    arkit = expr.shape[1] == len(EXPR_NAMES)
    if cfg.blinks and arkit:
        _without_blinks(expr, seq.fps)
    jaw, neck, eyes = (np.array(a, np.float64) for a in (seq.jaw_pose, seq.neck_pose, seq.eyes_pose))
    turn, move = np.array(seq.rotation, np.float64), np.array(seq.translation, np.float64)
    groups: list[tuple[Array, slice | list[int], float]] = []
    dead = {"head": radians(cfg.dead_head), "gaze": radians(cfg.dead_gaze), "jaw": radians(cfg.dead_jaw)}
    joint: list[Array] = []
    for stream in STREAMS if arkit else ():
        columns = [EXPR_INDEX[n] for n in stream.expr]
        if stream.name == "jaw":
            # tongue and jaw are one region in two units: bring the jaw to the scale of the expression
            joint = [expr[:, columns], jaw * (cfg.dead_expr / max(dead["jaw"], 1e-9))]
            joined = _meant(np.concatenate(joint, axis=1), cfg.dead_expr, seq.fps)
            expr[:, columns] = joined[:, : len(columns)]
            jaw = joined[:, len(columns):] * (max(dead["jaw"], 1e-9) / cfg.dead_expr) if cfg.dead_expr else jaw
        elif columns:
            groups.append((expr, columns, cfg.dead_expr))
    if not arkit:
        groups += [(expr, slice(None), cfg.dead_expr), (jaw, slice(None), dead["jaw"])]
    groups += [(neck, slice(None), dead["head"]), (turn, slice(None), dead["head"]), (eyes, slice(None), dead["gaze"]),
               (move, slice(None), cfg.dead_translation)]
    for array, columns_, zone in groups:
        array[:, columns_] = _meant(array[:, columns_], zone, seq.fps)
    fields = {"expr": expr, "jaw_pose": jaw, "neck_pose": neck, "rotation": turn, "eyes_pose": eyes,
              "translation": move}
    return seq.replace(**{k: v.astype(np.float32) for k, v in fields.items()})


def _play(x: Array, zone: float) -> Array:
    """Backlash of radius ``zone``: the output moves only as far as needed to stay that close to ``x (T, C)``."""
    out = np.empty_like(x)
    low, high = x - zone, x + zone
    y = np.clip(np.zeros(x.shape[1]), low[0], high[0])
    for i in range(len(x)):
        y = np.minimum(np.maximum(y, low[i]), high[i])
        out[i] = y
    return out


def _moving(x: Array, zone: float, fps: float) -> list[tuple[int, int]]:
    """Frame ranges in which the group ``x (T, C)`` makes a movement larger than its dead zone."""
    forward, backward = _play(x, zone), _play(x[::-1], zone)[::-1]
    small = 1e-3 * zone
    moved = np.zeros(len(x), bool)
    for y in (forward, backward):
        step = np.abs(np.diff(y, axis=0)).max(axis=1) > small
        moved[1:] |= step
        moved[:-1] |= step
    moves: list[tuple[int, int]] = []
    for a, b in runs(moved):
        # a short pause belongs to the movement, and so does one of half a second in which the signal
        # swings inside the dead zone (speech does)
        pause = (a - moves[-1][1]) / fps if moves else np.inf
        if pause <= 0.12 or (pause <= 0.5 and np.ptp(x[moves[-1][1]:a], axis=0).max() > zone):
            moves[-1] = (moves[-1][0], b)
        else:
            moves.append((a, b))
    moves = [(a, b) for a, b in moves if np.ptp(x[max(0, a - 2):b + 2], axis=0).max() > 1.25 * zone]
    return _trimmed(x, moves, zone, fps)


def _trimmed(x: Array, moves: list[tuple[int, int]], zone: float, fps: float) -> list[tuple[int, int]]:
    """Movements without the slow drift that leads up to a movement or follows it."""
    out = []
    for i, (a, b) in enumerate(moves):
        before = moves[i - 1][1] if i else 0
        after = moves[i + 1][0] if i + 1 < len(moves) else len(x)
        if a > before or a == 0:
            rest = x[before:a] if a > before else x[:3]
            a = a + _lead(x[a:b], np.median(rest, axis=0), zone, fps)
        if b < after or b == len(x):
            rest = x[b:after] if b < after else x[-3:]
            b = b - _lead(x[a:b][::-1], np.median(rest, axis=0), zone, fps)
        out.append((a, b))
    return out


def _lead(x: Array, level: Array, zone: float, fps: float) -> int:
    """Frames of ``x (T, C)`` that still belong to the rest at ``level (C,)`` before a movement."""
    away = np.abs(x - level)
    left = np.flatnonzero((away > _REST * zone).any(axis=1))
    if len(left) == 0 or left[0] == 0:
        return 0
    leave = int(left[0])
    channel = int(away[leave].argmax())
    # back along the movement for as long as it has come from the level at a tenth of its speed or more
    path = away[: leave + 1, channel]
    window = max(1, round(0.5 * fps))
    first = max(0, leave - window)
    slow = np.flatnonzero(np.diff(path[first:]) < 0.1 * (path[leave] - path[leave - 1]))
    return first + int(slow[-1]) + 1 if len(slow) else first


def _meant(x: Array, zone: float, fps: float) -> Array:
    """One region's channels ``x (T, C)`` without motion that stays within ``zone``."""
    if zone <= 0.0 or not np.any(x):
        return x
    moves = _moving(x, zone, fps)
    bounds = [(a, b) for a, b in zip([0, *(b for _, b in moves)], [*(a for a, _ in moves), len(x)], strict=True)]
    levels = np.zeros((len(bounds), x.shape[1]))
    for i, (a, b) in enumerate(bounds):
        # a pause of no frames takes the value where two movements meet
        part = x[a:b] if b > a else x[min(a, len(x) - 1)][None]
        levels[i] = np.median(part, axis=0)
    levels[np.abs(levels) < _REST * zone] = 0.0
    out = np.empty_like(x)
    for i, (a, b) in enumerate(bounds):
        out[a:b] = levels[i]
    for i, (a, b) in enumerate(moves):
        before, after = levels[i] - x[a], levels[i + 1] - x[b - 1]
        ramp = np.linspace(0.0, 1.0, b - a)[:, None]
        out[a:b] = x[a:b] + before * (1.0 - ramp) + after * ramp
        still = (np.abs(x[a:b]).max(axis=0) < _REST * zone) & (levels[i] == 0.0) & (levels[i + 1] == 0.0)
        out[a:b, still] = 0.0
    return out


def _without_blinks(expr: Array, fps: float) -> None:
    """Bridge short closures of both lids, in place."""
    lids = expr[:, _BLINK]
    both = lids.min(axis=1)
    reach = max(1, round(0.2 * fps))
    for a, b in runs(both > 0.04):
        if (b - a) / fps > 0.5 or (both[a:b].max() < 0.4 and a > 0 and b < len(expr)):
            continue
        # from the lowest point before to the lowest point after, the nearest one of each; a blink that
        # the clip's edge cuts takes the value of its other side
        first = a - 1 - int(np.argmin(both[max(0, a - reach):a][::-1])) if a else -1
        last = b + int(np.argmin(both[b:b + reach])) if b < len(expr) else -1
        if first < 0 and last < 0:
            continue
        begin, end = lids[first if first >= 0 else last].copy(), lids[last if last >= 0 else first].copy()
        first, last = max(first, 0), last if last >= 0 else len(expr) - 1
        ramp = np.linspace(0.0, 1.0, last - first + 1)[:, None]
        expr[first:last + 1, _BLINK] = begin * (1.0 - ramp) + end * ramp
