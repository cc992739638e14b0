"""The reports of a run: results.json, results.md and index.html in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....common.files import write_json, write_text
from .figures import Sheet
from .page import page


def write(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write all three; clips for the page are looked for in ``folder/clips``."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("results.json", "results.md", "index.html")]
    write_json(files[0], results, 1)
    write_text(files[1], markdown(results))
    write_text(files[2], page(results, folder / "clips"))
    return files


def markdown(results: Mapping[str, Any]) -> str:
    """All tables, and the command that prints each row again."""
    sheets = [Sheet.from_dict(s) for s in results["tables"]]
    trained = results.get("retrieval_model", {}).get("held_out", {})
    lines = [f"# Benchmark: {results['suite']}", "",
             f"facelm {results['facelm']}, seed {results['seed']}. Brackets: 95 % bootstrap intervals over items. Command: "
             f"`{results['command']}`", ""]
    if trained:
        lines += ["The learned scores rest on the retrieval model, whose own held-out scores are "
                  + ", ".join(f"{k} {v:.3f}" for k, v in trained.items()) + ".", ""]
    lines += [s.markdown() + "\n" for s in sheets]
    lines += ["## Commands", "", *(f"- {s.title}, {r.name}: `{r.command}`" for s in sheets for r in s.rows if r.command)]
    return "\n".join(lines) + "\n"
