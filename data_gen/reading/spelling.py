"""Usual misspellings, short forms and comparatives ("more slow") written out."""

from __future__ import annotations

import re

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ..tables import read_table
from ..text.quantities import TIME


@dataclass(frozen=True, config=SETTINGS)
class _Spelling:
    words: dict[str, str]


_TABLE = read_table(__package__, "spelling.yaml", _Spelling)
_WORD = re.compile(r"(?<![\w'])(" + "|".join(map(re.escape, sorted(_TABLE.words, key=len, reverse=True))) + r")(?![\w'])",
                   re.IGNORECASE)


_STUCK = re.compile(r"\b([A-Za-z]{3,})x(\d{1,2})\b")
"""A number that is written onto a word: "nodx3"."""


COMPARED = {"slow": "slower", "slowly": "slower", "fast": "faster", "quick": "quicker", "quickly": "quicker", "long": "longer",
             "short": "shorter", "strong": "stronger", "weak": "weaker", "big": "bigger", "small": "smaller", "wide": "wider",
             "high": "higher", "low": "lower", "early": "earlier", "late": "later", "soon": "sooner", "deep": "deeper",
             "soft": "softer", "happy": "happier", "sad": "sadder", "angry": "angrier"}
_MORE = re.compile(r"(?<!\d )(?<!one )(?<!two )(?<!three )(?<!four )(?<!five )(?<!some )(?<!any )(?<!few )"
                   rf"\bmore ({'|'.join(COMPARED)})\b", re.IGNORECASE)
"""A comparative as others build it: "more slow"."""


def spelled(text: str) -> str:
    """A text with usual misspellings and short forms written out."""
    text = _WORD.sub(lambda m: _TABLE.words[m[1].lower()], _STUCK.sub(r"\1 x\2", text))
    text = TIME.sub(r"\1 times", text)
    return _MORE.sub(lambda m: COMPARED[m[1].lower()], text)
