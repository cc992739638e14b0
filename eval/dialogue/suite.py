"""Conversations to evaluate on: lists of turns, each with what is right, as YAML (format: docs/dialogue.md)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, load_yaml, parse, read_yaml_values
from ...face.facs.script import Script
from ...face.facs.script_text import read_script
from ...face.facs.vocabulary import DIRECTIONS

Want = Literal["perform", "edit", "ask", "tell", "unseen", "false", "compare", "undo", "redo", "goto", "name", "list", "changed",
               "repeat", "talk", "refuse", "transition"]
SETS: tuple[str, ...] = ("dialogues", "edits", "questions")
"""The shipped sets, which nothing is tuned to."""
_TRUTHS: dict[Any, str] = {False: "false", True: "true"}
"""What YAML reads as truths are words here."""


@dataclass(frozen=True, config=SETTINGS)
class Change:
    """What is different from the clip before."""

    what: str
    """A name, or ``clip``."""
    becomes: str
    """stronger, weaker, faster, slower, longer, shorter, earlier, later, gone, left, right, both, first, last, or "count N",
    "strength 0.5", "starts 2.0", "lasts 1.5"."""
    nth: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, config=SETTINGS)
class Turn:
    """A line and what is right as an answer to it."""

    say: str
    want: Want
    shows: str | None = None
    """A script line that the clip shows then."""
    change: tuple[Change, ...] = ()
    kept: tuple[str, ...] = ()
    """Names of what is as it was before."""
    value: Any = None
    """The answer's value, or a mapping that says how it is computed from the clip."""
    clip: int | None = None
    version: int | None = None
    says: tuple[str, ...] = ()
    """Words one of which is in the reply."""


@dataclass(frozen=True, config=SETTINGS)
class Dialogue:
    """A conversation."""

    id: str
    kind: str
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    start: str | None = None
    """A script line that is performed before the first turn."""


@dataclass(frozen=True, config=SETTINGS)
class _File:
    dialogues: tuple[Dialogue, ...] = field(default_factory=tuple)


def load_dialogues(path: str | os.PathLike[str]) -> tuple[Dialogue, ...]:
    """The conversations of a shipped set (``dialogues``, ``edits``, ``questions``) or of a file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: one line that names the file, the entry and what is wrong with it.
    """
    name = os.fspath(path)
    if name in SETS:
        raw = load_yaml(files("facelm").joinpath("eval", "dialogue", f"{name}.yaml").read_text(encoding="utf-8"))
    else:
        raw = read_yaml_values(path)
    if not isinstance(raw, list):
        raise ValueError(f"{name} needs a list of conversations")
    rows = [_plain(r) for r in raw]
    found = parse(_File, {"dialogues": rows}, name).dialogues
    for d in found:
        for line in (d.start, *(t.shows for t in d.turns)):
            if line is not None:
                try:
                    scripts_of(line)
                except ValueError as err:
                    raise ValueError(f"{name}: {d.id}: {line!r}: {err}") from None
    return found


def _plain(row: Any) -> Any:
    """An entry as the schema has it: single values where lists may stand."""
    if not isinstance(row, Mapping) or not isinstance(row.get("turns"), list):
        return row
    turns = []
    for t in row["turns"]:
        turn = dict(t) if isinstance(t, Mapping) else t
        if isinstance(turn, dict):
            for key in ("change", "kept", "says"):
                if key in turn and not isinstance(turn[key], list):
                    turn[key] = [turn[key]]
            turn["want"] = _TRUTHS.get(turn.get("want"), turn.get("want"))
            turn["kept"] = [str(k) for k in turn.get("kept", [])]
            turn["says"] = [str(k) for k in turn.get("says", [])]
            turn["change"] = [{k: str(v) if k == "becomes" else v for k, v in c.items()} for c in turn.get("change", [])]
        turns.append(turn)
    return {**row, "turns": turns}


def scripts_of(line: str) -> tuple[Script, ...]:
    """The scripts of a line in the suite's shorthand: ``&`` for together, ``@ 2 s`` for a start; several where a side is open."""
    plain = re.sub(r"@\s*", "at ", re.sub(r"\s*&\s*", "; with ", re.sub(r"(?<=\w) with (?=\w)", "; with ", line)))
    open_ = re.compile(rf"(?<![\w])({'|'.join(sorted(DIRECTIONS))})(?! (?:left|right)\b)(?=[ ;]|$)")
    if not re.sub(r"never [^;]*", "", plain) or not open_.search(re.sub(r"never [^;]*", "", plain)):
        return (read_script(plain),)
    parts = re.split(r"(never [^;]*)", plain)
    return tuple(read_script("".join(p if p.startswith("never ") else open_.sub(rf"\1 {side}", p) for p in parts))
                 for side in ("left", "right"))
