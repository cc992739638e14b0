"""Prompts to scripts: exact rules for numbers, the language model for everything else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from ...data_gen.prompts.language import other_language
from ...data_gen.text.doubts import doubts
from ...data_gen.text.quantities import find_quantities
from ...face.facs.script import Script
from ...llm.generate import MotionLM, Sampling
from ...llm.script_tokens import Quantities

TRIES = 6
_PART = 32
_SURE = -0.7
"""Nats: a reading likelier than one half in all, with no doubts, is taken at once."""
_WARMTH, _DOUBT = 0.8, 2.0
"""Temperature of further readings, and nats that a doubt weighs."""


def read_prompts(lm: MotionLM, prompts: Sequence[str], tries: int = TRIES) -> list[Script]:
    """What each prompt asks for.

    Args:
        prompts: English texts.
        tries: readings of a text that the model is not sure of, or of which the text leaves doubts (``data_gen/text/doubts.py``);
            the likeliest with the fewest doubts is taken. 1 takes the likeliest.

    Raises:
        ValueError: a prompt in another language than English, or a model that knows no scripts.
    """
    if not len(lm.vocabulary.script):
        raise ValueError("these weights were trained before scripts and cannot read prompts; give newer ones with --weights DIR")
    for prompt in prompts:
        if (language := other_language(prompt)) is not None:
            raise ValueError(f"the prompt {shortened(prompt)!r} seems to be {language}; facelm reads English only")
    marked = [find_quantities(plain(p)) for p in prompts]
    out: list[Script] = []
    for low in range(0, len(marked), _PART):
        part = marked[low:low + _PART]
        texts, values = [m.text for m in part], [Quantities(m.t, m.p, m.c) for m in part]
        found = [[r] for r in lm.read(texts, values)]
        unsure = [i for i, (r,) in enumerate(found) if tries > 1 and (r.nats < _SURE or doubts(part[i], r.script))]
        if unsure:
            again = [i for i in unsure for _ in range(tries - 1)]
            draws = [k for _ in unsure for k in range(tries - 1)]  # a prompt is read as if alone
            more = lm.read([texts[i] for i in again], [values[i] for i in again], Sampling(_WARMTH), draws)
            for i, one in zip(again, more, strict=True):
                found[i].append(one)
        out += [max(several, key=lambda r: r.nats - _DOUBT * doubts(part[i], r.script)).script for i, several in enumerate(found)]
    return out


def plain(text: str) -> str:
    """A prompt without control characters, but with its line breaks, and with plain quotes, dashes and spaces."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    controls = ("Cc", "Cf", "Zl", "Zp")
    lines = ("".join(" " if unicodedata.category(c) in controls and c != _JOINER else c for c in line).split()
             for line in text.splitlines())
    return "\n".join(" ".join(line) for line in lines if line)


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
