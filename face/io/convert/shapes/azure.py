"""Blend shapes of Azure's speech synthesis: viseme events with ``FrameIndex`` and rows of 55 numbers, at 60 fps.

https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis-viseme
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....head.model import HeadModel
from ..arkit import scores_of, shape_channels
from ..base import Channels, Options
from ..timing import Timing
from .orders import AZURE_55

FPS = 60.0


def _events(content: Any) -> list[Mapping[str, Any]]:
    """The events of a file: one, a list of them, or either under ``visemes``; animations as text are parsed."""
    if isinstance(content, Mapping):
        inner = next((content[k] for k in ("visemes", "events", "animation", "Animation")
                      if isinstance(content.get(k), (list, dict))), None)
        content = [content] if inner is None else inner if isinstance(inner, list) else [inner]
    out = []
    for event in content if isinstance(content, list) else ():
        if isinstance(event, Mapping):
            text = next((event[k] for k in ("animation", "Animation") if k in event), event)
            if isinstance(text, str) and text.strip().startswith("{"):
                try:
                    text = json.loads(text)
                except (ValueError, RecursionError):
                    continue
            if isinstance(text, Mapping):
                out.append(text)
    return out


def matches(content: Any) -> bool:
    """Events with ``BlendShapes``, or visemes without shapes, which are refused."""
    events = _events(content)
    return any(isinstance(e.get("BlendShapes"), list) for e in events) or bool(events) and all(
        {k.lower() for k in e} & {"visemeid", "viseme_id"} for e in events)


def channels(content: Any, head: HeadModel, options: Options) -> Channels:
    """One clip of all events, in the order of their frame numbers.

    Raises:
        ValueError: visemes without blend shapes, or rows that are not 55 numbers.
    """
    events = [e for e in _events(content) if isinstance(e.get("BlendShapes"), list)]
    if not events:
        raise ValueError("these are viseme numbers of Azure without blend shapes, from which no motion can be made: ask for "
                         'blend shapes with <mstts:viseme type="FacialExpression"/> in the SSML')
    starts = [e.get("FrameIndex") for e in events]
    known = all(isinstance(s, int) and not isinstance(s, bool) and 0 <= s < 1 << 40 for s in starts)
    if known:
        events = sorted(events, key=lambda e: int(e["FrameIndex"]))
    table: list[list[float]] = []
    at: list[int] = []
    for event in events:
        for k, row in enumerate(event["BlendShapes"]):
            if row is not None and (not isinstance(row, list) or len(row) != len(AZURE_55)):
                width = len(row) if isinstance(row, list) else "no"
                raise ValueError(f"a row of BlendShapes has {width} numbers; Azure writes {len(AZURE_55)}")
            table.append(row or [np.nan] * len(AZURE_55))
            at.append((int(event["FrameIndex"]) if known else len(at)) + (k if known else 0))
    if not table:
        raise ValueError("BlendShapes holds 0 frames")
    try:
        values = np.array(table, np.float64)
    except (TypeError, ValueError):
        raise ValueError("BlendShapes holds something else than numbers") from None
    out = shape_channels(scores_of(AZURE_55, values), head)
    out.timing = Timing(FPS, notes=["Azure's blend shapes run at 60 fps"])
    out.timing.gaps(np.array(at) - at[0], "the events' frame numbers")
    if np.nan_to_num(values[:, -3:]).any():
        out.warnings.append("headRoll, leftEyeRoll and rightEyeRoll are left out: their unit is not documented")
    return out
