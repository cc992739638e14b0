"""Prompts to scripts: exact rules for numbers, the language model for everything else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from ...data_gen.prompts.language import other_language
from ...data_gen.text.quantities import find_quantities
from ...face.facs.script import Script
from ...llm.generate import MotionLM
from ...llm.script_tokens import Quantities


def read_prompts(lm: MotionLM, prompts: Sequence[str]) -> list[Script]:
    """What each prompt asks for.

    Raises:
        ValueError: a prompt in another language than English, or a model that knows no scripts.
    """
    if not len(lm.vocabulary.script):
        raise ValueError("these weights were trained before scripts and cannot read prompts; give newer ones with --weights DIR")
    for prompt in prompts:
        if (language := other_language(prompt)) is not None:
            raise ValueError(f"the prompt {shortened(prompt)!r} seems to be {language}; facelm reads English only")
    marked = [find_quantities(plain(p)) for p in prompts]
    return lm.read([m.text for m in marked], [Quantities(m.t, m.p, m.c) for m in marked])


def plain(text: str) -> str:
    """A prompt without control characters and with plain quotes, dashes and spaces."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    controls = ("Cc", "Cf", "Zl", "Zp")
    return " ".join("".join(" " if unicodedata.category(c) in controls and c != _JOINER else c for c in text).split())


_JOINER = "\u200d"
"""Joins emoji."""
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2013": "-", "\u2014": " - ",
                        "\u2026": "..."})


def shortened(text: str, most: int = 60) -> str:
    """A text for a message."""
    return text if len(text) <= most else text[:most - 3] + "..."


def with_length(script: Script, seconds: float | None) -> Script:
    """The script with a length that was asked for beside it."""
    return script if seconds is None else replace(script, seconds=seconds)
