"""One self-contained page of a run: tables, plots, confusions, and clips side by side that play. It opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ....common.files import digest
from ....common.optional import require
from ....face.clip.sequence import FaceSequence
from ....face.head.model import HeadModel
from .figures import Column, Row, Sheet
from .plots import bars, confusions, heat
from .strips import SIZE, strip

PLOTTED = ("wholly right", "facts", "F1", "nothing foreign", "FID", "R-precision@1", "multimodal distance", "diversity", "recall",
           "BLEU", "text similarity", "lips, mm", "bits a second", "actions found again", "turns right", "blink: closing, s",
           "smile: onset, s", "clip alone, of its length")
"""Columns that are plotted, of whatever table has them."""
KNOWING = ("ground truth", "through the tokenizer", "reference texts", "recorded faces")
"""Rows that know the answer: never the best."""


def page(results: Mapping[str, Any], clips: Path | None = None) -> str:
    """The page as HTML text; ``clips`` is the folder of the clips that were kept for it."""
    jinja = require("jinja2", "eval", "the page is filled in by Jinja")
    own = files("facelm").joinpath("eval", "bench", "report")
    style, script, text = (own.joinpath(f"page.{end}").read_text(encoding="utf-8") for end in ("css", "js", "html"))
    sections = [_section(Sheet.from_dict(s), clips) for s in results["tables"]]
    template = jinja.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    return str(template.render(results=results, sections=sections, style=style, script=script, size=SIZE,
                               trained=results.get("retrieval_model", {}).get("held_out", {})))


def clip_path(folder: Path, part: str, system: str, at: int) -> Path:
    """Where a clip for the page is kept."""
    return folder / digest([part, system])[:12] / f"{at}.npz"


def _section(sheet: Sheet, clips: Path | None) -> dict[str, Any]:
    """What the template shows of a table."""
    columns = sheet.used()
    best = {c.name: _best(c, sheet.rows) for c in columns}
    shown = {name: svg for name, counts in sheet.extra.get("confusion", {}).items() if (svg := confusions(counts))}
    return {"id": "".join(c if c.isalnum() else "-" for c in sheet.name), "sheet": sheet, "columns": columns,
            "plot": heat(sheet) if sheet.name.startswith("kinds") else bars(sheet, PLOTTED),
            "rows": [{"name": r.name, "command": r.command, "cells": [_cell(r, c, best[c.name]) for c in columns]}
                     for r in sheet.rows],
            "notes": [f"{r.name}: {n}" for r in sheet.rows for n in r.notes], "confusions": shown,
            "examples": _examples(sheet, clips) if clips is not None else []}


def _best(column: Column, rows: Sequence[Row]) -> float | None:
    """The best value among what is measured."""
    values = [r.figures[column.name].value for r in rows if column.name in r.figures and r.name not in KNOWING]
    if len(values) < 2 or not column.better:
        return None
    return max(values) if column.better == "more" else min(values)


def _cell(row: Row, column: Column, best: float | None) -> dict[str, Any] | None:
    if (figure := row.figures.get(column.name)) is None:
        return None
    d = column.digits
    interval = "" if figure.low is None or figure.high is None else f"{figure.low:.{d}f} to {figure.high:.{d}f}"
    return {"value": f"{figure.value:.{d}f}", "interval": interval, "n": figure.n,
            "best": best is not None and figure.value == best and row.name not in KNOWING}


def _examples(sheet: Sheet, clips: Path) -> list[dict[str, Any]]:
    """Clips of a few prompts side by side, as strips that play."""
    head, part = HeadModel.default(), sheet.name.removeprefix("words: ")
    out = []
    for one in sheet.extra.get("examples", []):
        paths = {name: clip_path(clips, part, name, one["at"]) for name in one["ok"]}
        films = [{"name": name, "ok": one["ok"][name], "strip": strip(FaceSequence.load(path), head)}
                 for name, path in paths.items() if path.is_file()]
        out += [{**one, "films": films}] if films else []
    return out
