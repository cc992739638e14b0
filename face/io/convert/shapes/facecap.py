"""Text recordings of the app Face Cap (https://www.bannaflak.com/face-cap): lines of ``bs`` (names) and ``k`` (a frame).

A ``k`` line holds the time (ms), the head's place (3) and turn (3, degrees), the eyes' turns (2 + 2, degrees) and the weights of
the shapes that ``bs`` names; so read the importers of Faceit and of the DAZ Importer for Blender.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....head.model import HeadModel
from ..arkit import LEAST_NAMES, known_names, scores_of, shape_channels
from ..base import Channels, Options
from ..tables import Table
from ..timing import of_seconds

_BEFORE = 11
"""Numbers of a frame before its weights."""


def _lines(content: Any) -> list[list[str]]:
    return [*([list(content.header)] if content.header else []), *content.cells] if isinstance(content, Table) else []


def _names(lines: list[list[str]]) -> list[str]:
    found = next((line[1:] for line in lines[:50] if line[0] == "bs"), [])
    return [n for n in found if n]


def matches(content: Any) -> bool:
    """A ``bs`` line with names of shapes near the beginning."""
    return known_names(_names(_lines(content))) >= LEAST_NAMES


def channels(content: Any, head: HeadModel, options: Options) -> Channels:
    """One clip of a recording; the head's own turn and place are left out, since their signs are not documented."""
    lines = _lines(content)
    names = _names(lines)
    keys = [line[1:] for line in lines if line[0] == "k"]
    if not keys:
        raise ValueError("the recording has no frames (lines that begin with k)")
    width = _BEFORE + len(names)
    table = np.full((len(keys), width), np.nan)
    for k, line in enumerate(keys):
        cells = [c for c in line if c]
        if len(cells) != width:
            raise ValueError(f"frame {k + 1} has {len(cells)} numbers; needed: {width} ({_BEFORE} of time, head and "
                             f"eyes, {len(names)} weights)")
        try:
            table[k] = [float(c.replace(",", ".")) for c in cells]
        except ValueError:
            continue  # the frame stays not a number and is marked invalid
    out = shape_channels(scores_of(names, table[:, _BEFORE:]), head)
    out.timing = of_seconds(table[:, 0] * 1e-3)
    if np.nanmax(np.abs(np.diff(table[:, 1:7], axis=0)), initial=0.0) > 1e-4:
        out.warnings.append("the head's turn and place are left out: their axes and signs are not documented")
    return out
