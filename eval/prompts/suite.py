"""Prompts to evaluate on: the held-out ones, a file of the user's own, or the test split of the templates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from ...common.config import load_yaml, read_yaml_values
from ...common.files import digest
from ...data_gen.performer.layout import lay_out
from ...data_gen.text.say import sample, say
from ...face.facs.script import Script
from ...face.facs.script_text import read_script, write_script

TEMPLATE_SEED = 910_000_000
"""Template prompts draw from seeds that no training uses."""

@dataclass(frozen=True)
class Prompt:
    """A prompt and its right scripts."""

    kind: str
    """What is hard about it: count, side, negation, timing ..."""
    text: str
    scripts: tuple[Script, ...]
    """Any of them is right; the first is the usual one."""


def load_prompts(path: str | os.PathLike[str] | None = None) -> list[Prompt]:
    """The prompts of a file: kinds, each with rows ``[text, script line]`` or ``[text, line, [other right lines]]``.

    Args:
        path: FILE.yaml; None is the held-out file, which nothing is trained on.

    Raises:
        FileNotFoundError: no such file.
        ValueError: one line that names the file, the row and what is wrong with it.
    """
    name = "heldout.yaml" if path is None else os.fspath(path)
    if path is None:
        raw = load_yaml(files("facelm").joinpath("eval", "prompts", name).read_text(encoding="utf-8"))
    else:
        raw = read_yaml_values(path)
    if not isinstance(raw, Mapping) or not raw:
        raise ValueError(f"{name} needs kinds of prompts, each with rows of [text, script line]")
    return [_prompt(name, str(kind), number, row) for kind, rows in raw.items()
            for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1)]


def _prompt(name: str, kind: str, number: int, row: Any) -> Prompt:
    where = f"{name}: {kind}, row {number}"
    if not isinstance(row, list) or len(row) not in (2, 3) or not all(isinstance(x, str) for x in row[:2]) or (
            len(row) == 3 and not (isinstance(row[2], list) and all(isinstance(x, str) for x in row[2]))):
        raise ValueError(f"{where}: needed is [text, script line] or [text, script line, [other right lines]]")
    try:
        return Prompt(kind, row[0], tuple(read_script(line) for line in (row[1], *(row[2] if len(row) == 3 else ()))))
    except ValueError as err:
        raise ValueError(f"{where}: {err}") from None


def template_prompts(count: int, seed: int = 0) -> list[Prompt]:
    """Fresh scripts, worded by templates: the templates' test split. Their kind is their number of cues."""
    out: list[Prompt] = []
    k = 0
    while len(out) < count:
        rng = np.random.default_rng([TEMPLATE_SEED + seed, k])
        k += 1
        script = sample(rng)
        try:
            text = say(script, rng)
            lay_out(script)
        except ValueError:  # without words, or too much for its length
            continue
        cues = min(len(script.cues), 4)
        out.append(Prompt(f"template, {cues} cue{'s' * (cues != 1)}{' or more' * (cues == 4)}", text, (script,)))
    return out


def prompts_digest(prompts: list[Prompt]) -> str:
    """A digest of prompts and their right scripts."""
    return digest([[p.kind, p.text, *map(write_script, p.scripts)] for p in prompts])
