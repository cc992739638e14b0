"""Plots of the tables as SVG that stands in a page: bars with intervals, heat maps, confusions."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ....common.optional import require
from .figures import Sheet

INK, GRID = "#23303b", "#d8dee3"
COLOURS = ("#1f6f8b", "#e07a3f", "#5a8f3c", "#9a5b9e", "#c0485b", "#b08d2e", "#4a6fb3", "#6b7780", "#2a9d8f", "#8d5524")
MOST = 18
"""Actions in a confusion; the rest are the rarest."""


@contextmanager
def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Any, Any, list[str]]]:
    """A figure, its axes, and a list that takes its SVG when the block ends."""
    matplotlib = require("matplotlib", "eval", "the page's plots are drawn by it")
    from matplotlib.figure import Figure  # not pyplot, whose backend is the user's

    style: Any = {"svg.hashsalt": "facelm", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
             "axes.edgecolor": GRID, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
             "axes.spines.top": False,
             "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        out: list[str] = []
        yield figure, figure.subplots(rows, columns, squeeze=False), out
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        text = buffer.getvalue()
        out.append(text[text.index("<svg"):])


def bars(sheet: Sheet, columns: Sequence[str]) -> str:
    """One panel a column, one bar a row, with its interval; empty where no row has any of the columns."""
    there = [c for c in sheet.columns if c.name in columns and any(c.name in r.figures for r in sheet.rows)]
    if not there:
        return ""
    across = min(len(there), 4)
    down = -(-len(there) // across)
    names = [r.name for r in sheet.rows]
    with _figure(3.1 * across, down * (0.7 + 0.27 * len(names)), down, across) as (_, axes, out):
        for k, axis in enumerate(axes.flat):
            if k >= len(there):
                axis.set_axis_off()
                continue
            column = there[k]
            for at, row in enumerate(sheet.rows):
                found = row.figures.get(column.name)
                if found is None:
                    continue
                axis.barh(at, found.value, color=COLOURS[at % len(COLOURS)], height=0.66)
                if found.low is not None and found.high is not None:
                    axis.plot([found.low, found.high], [at, at], color=INK, lw=1.2)
            axis.set_yticks(range(len(names)), names if k % across == 0 else [""] * len(names))
            axis.invert_yaxis()
            axis.set_ylim(len(names) - 0.5, -0.5)
            axis.tick_params(length=0)
            axis.grid(axis="x", color=GRID, lw=0.6)
            axis.set_axisbelow(True)
            arrow = {"more": " (more is better)", "less": " (less is better)"}.get(column.better, "")
            axis.set_title(column.name + arrow, fontsize=9, loc="left")
    return out[0]


def heat(sheet: Sheet) -> str:
    """Systems by columns as a heat map of shares."""
    columns = [c.name for c in sheet.used()]
    values = np.array([[r.figures[c].value if c in r.figures else np.nan for c in columns] for r in sheet.rows])
    with _figure(1.6 + 0.52 * len(columns), 1.3 + 0.3 * len(sheet.rows)) as (_, axes, out):
        axis = axes[0, 0]
        axis.imshow(values, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
        for (i, j), v in np.ndenumerate(values):
            if np.isfinite(v):
                axis.text(j, i, f"{v:.2f}", ha="center", va="center", fontsize=7, color="white" if v > 0.55 else INK)
        axis.set_xticks(range(len(columns)), [c.replace("_", " ") for c in columns], rotation=40, ha="right")
        axis.set_yticks(range(len(sheet.rows)), [r.name for r in sheet.rows])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return out[0]


def confusions(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Asked (rows) against found (columns), as shares of the clips in which it was asked for; empty without any."""
    often = sorted(counts, key=lambda a: -sum(counts[a].values()))[:MOST]
    if not often:
        return ""
    rows = sorted(often)
    columns = [*rows, "something else", "nothing"]
    values = np.zeros((len(rows), len(columns)))
    for i, asked in enumerate(rows):
        for found, n in counts[asked].items():
            values[i, columns.index(found if found in columns else "something else")] += n
    values /= np.maximum(values.sum(1, keepdims=True), 1)
    with _figure(1.8 + 0.3 * len(columns), 1.6 + 0.26 * len(rows)) as (_, axes, out):
        axis = axes[0, 0]
        axis.imshow(values, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(columns)), [c.replace("_", " ") for c in columns], rotation=60, ha="right", fontsize=7)
        axis.set_yticks(range(len(rows)), [r.replace("_", " ") for r in rows], fontsize=7)
        axis.set_xlabel("what is measured in its place")
        axis.set_ylabel("asked for")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return out[0]
