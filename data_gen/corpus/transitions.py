"""The corpus of transition instructions: plans with their wordings and exact performances, as one Parquet file.

Row ``i`` of seed ``s`` depends on nothing but ``(s, i)``. A row keeps the numbers of its performance
(:class:`facelm.data_gen.performer.transitions.TransitionSpec`), not the motion: performing takes two milliseconds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import atomic_file
from ...common.progress import Progress, silent
from ...face.facs.schedule import Style
from ..performer.transitions import Stage, TransitionSpec, realise_plan, sample_plan
from ..text.transition_text import word_plan
from .shards import arrow
from .splits import split_of_plan

FILE = "transitions.parquet"
WORDINGS = 4


def make_row(seed: int, index: int) -> dict[str, Any]:
    """One transition with its wordings."""
    rng = np.random.default_rng([seed, index, 7])
    plan = sample_plan(rng)
    split = split_of_plan(plan)
    spec = realise_plan(plan, rng)
    texts: dict[str, None] = {}
    for _ in range(3 * WORDINGS):
        texts.setdefault(word_plan(plan, rng, split))
        if len(texts) == WORDINGS:
            break
    return {"clip_id": f"t{seed}-{index:07d}", "split": split, "seconds": spec.seconds, "stages": len(spec.stages),
            "sourced": plan.sourced, "instructions": list(texts), "spec": to_json(spec)}


def write_transitions(out: str | os.PathLike[str], count: int, seed: int = 0, progress: Progress = silent) -> Path:
    """Write ``count`` transitions to ``out/transitions.parquet``; returns the file.

    Raises:
        ValueError: a count that is not positive or a negative seed; ImportError: no pyarrow.
    """
    if count < 1 or seed < 0:
        raise ValueError(f"{count} transitions with seed {seed}; allowed: at least 1, and a seed of 0 or more")
    pa, report = arrow(), progress
    rows = []
    for i in range(count):
        rows.append(make_row(seed, i))
        if i % 200 == 199 or i == count - 1:
            report(i + 1, count)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / FILE) as partial:
        pa.parquet.write_table(pa.Table.from_pylist(rows), partial)
    return folder / FILE


def read_transitions(folder: str | os.PathLike[str], split: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a transition corpus, ``spec`` as a :class:`TransitionSpec`.

    Raises:
        FileNotFoundError: no such file; ValueError: a damaged one.
    """
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no transitions at {path}; make them with `facelm data transitions -o DIR`")
    try:
        rows = arrow().parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as err:
        raise ValueError(f"{path} is damaged ({err}); delete it and make it again") from err
    for row in rows:
        if split is None or row["split"] == split:
            yield {**row, "spec": from_json(row["spec"])}


def to_json(spec: TransitionSpec) -> str:
    """One line of JSON; :func:`from_json` reads it."""
    return json.dumps({"stages": [asdict(s) for s in spec.stages], "source": dict(spec.source), "lead": spec.lead,
                       "tail": spec.tail, "style": asdict(spec.style)}, separators=(",", ":"))


def from_json(text: str) -> TransitionSpec:
    """Parse :func:`to_json`'s text.

    Raises:
        ValueError: not JSON, unknown keys, or values out of range.
    """
    try:
        raw = json.loads(text)
        stages = tuple(Stage(tuple((str(n), float(x)) for n, x in s["blend"]), float(s["rise"]), float(s["hold"]))
                       for s in raw["stages"])
        source = {str(n): float(v) for n, v in raw["source"].items()}
        return TransitionSpec(stages, source, float(raw["lead"]), float(raw["tail"]), Style(**raw["style"]))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as err:
        raise ValueError(f"not a transition: {err}; see facelm.data_gen.performer.transitions.TransitionSpec") from err
