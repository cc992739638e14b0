"""Prompts written by hand, each with its script (data_gen/text/prompts/*.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from ...common.config import load_yaml
from ...common.files import digest
from ...face.facs.script import Script
from ...face.facs.script_text import read_script

SPLITS = ("train", "dev")


@dataclass(frozen=True)
class Written:
    """One prompt."""

    kind: str
    """What is hard about it: count, side, negation, timing ..."""
    text: str
    script: Script


def _files(split: str) -> list[Traversable]:
    folder = files("facelm").joinpath("data_gen", "text", "prompts")
    return sorted((f for f in folder.iterdir() if f.name.startswith(f"{split}_")), key=lambda f: f.name)


def written_digest() -> str:
    """A digest of the training prompts, which changes when they do."""
    return digest([f.read_text(encoding="utf-8") for f in _files("train")])


@cache
def written(split: str = "train") -> tuple[Written, ...]:
    """The prompts of a split, in the order of the files.

    Raises:
        ValueError: another split than train and dev, or a file with a script that is none.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
    out = []
    for file in _files(split):
        for kind, rows in load_yaml(file.read_text(encoding="utf-8")).items():
            for text, line in rows:
                try:
                    out.append(Written(kind, text, read_script(line)))
                except ValueError as err:
                    raise ValueError(f"{file.name}, {kind}, {text!r}: {err}") from err
    return tuple(out)
