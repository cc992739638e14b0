"""Named curves in any holder: a table's columns, a dict of lists, a list of frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..base import sparse
from ..tables import Table
from ..timing import is_time


@dataclass(frozen=True)
class Curves:
    """Curves by name, (T,) each: those asked for, the times, and the others."""

    used: dict[str, np.ndarray]
    times: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)


def curves_of(content: Any, wanted: Callable[[str], bool]) -> Curves | None:
    """The curves of a file; None when it holds none that is wanted.

    Raises:
        ValueError: curves that differ in length.
    """
    notes: list[str] = []
    table = _columns(content, wanted, notes)
    used = {n: v for n, v in table.items() if wanted(n)}
    if not used:
        return None
    if len({len(v) for v in used.values()}) > 1:
        raise ValueError("the curves differ in their number of frames")
    frames = len(next(iter(used.values())))
    others = {n: v for n, v in table.items() if n not in used and len(v) == frames}
    return Curves(used, {n: v for n, v in others.items() if is_time(n)}, {n: v for n, v in others.items() if not is_time(n)},
                  notes)


def _columns(content: Any, wanted: Callable[[str], bool], notes: list[str]) -> dict[str, np.ndarray]:
    if isinstance(content, Table):
        if not content.header or not content.cells or not any(map(wanted, content.header)):
            return {}
        values = content.values()
        return {n: values[:, k] for k, n in enumerate(content.header) if n}
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        names = content.get("names")
        content = content["frames"]
        if isinstance(names, list) and all(isinstance(n, str) for n in names):  # weights in the order of the names
            content = [{**f, **dict(zip(names, f["weights"], strict=False))} if isinstance(f, dict) and isinstance(
                f.get("weights"), list) else f for f in content]
    if isinstance(content, list) and any(isinstance(f, dict) for f in content):
        flat = [_flat(f) if isinstance(f, dict) else None for f in content]
        names = list(dict.fromkeys(n for f in flat if f for n in f))
        notes += sparse({n: sum(n not in f for f in flat if f) for n in names if wanted(n)}, len(flat))
        # a curve that a frame does not name is 0 there; one that is null, like a frame that is, is no number
        return {n: np.array([np.nan if f is None else f.get(n, 0.0) for f in flat]) for n in names}
    if isinstance(content, dict):
        inner = next((v for k, v in content.items() if k in ("curves", "expressions", "weights", "blendshapes")
                      and isinstance(v, dict)), {})
        return {str(n): np.asarray(v, np.float64).reshape(-1) for n, v in (*content.items(), *inner.items()) if _is_curve(v)}
    return {}


def _flat(frame: dict[str, Any]) -> dict[str, float]:
    """A frame's numbers, also one level down; null is no number."""
    out: dict[str, float] = {}
    for holder in (frame, *(v for v in frame.values() if isinstance(v, dict))):
        out |= {str(k): np.nan if v is None else float(v) for k, v in holder.items()
                if v is None or isinstance(v, (int, float)) and not isinstance(v, bool)}
    return out


def _is_curve(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim >= 1 and value.dtype.kind in "fiu" and value.size == len(value) > 0
    return isinstance(value, list) and any(v is not None for v in value) and all(
        v is None or isinstance(v, (int, float)) for v in value)
