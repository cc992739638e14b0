"""Prompts to scripts: exact rules for numbers, the language model for everything else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache

from ...data_gen.prompts.language import other_language
from ...data_gen.reading.rules import RuleReading, read_rules
from ...data_gen.reading.whole import as_a_whole
from ...data_gen.text.doubts import doubts
from ...data_gen.text.quantities import Marked, find_quantities
from ...data_gen.text.written import written
from ...face.facs.script import Script
from ...face.facs.script_text import read_script
from ...face.facs.vocabulary import sideless
from ...llm.generate import MotionLM, Sampling
from ...llm.grammar.script_tokens import Quantities, write

TRIES = 6
_PART = 32
_SURE = -0.7
"""Nats: a reading likelier than one half in all, with no doubts, is taken at once."""
_WARMTH, _DOUBT, _UNTOLD = 0.8, 1.5, 4.0
"""Temperature of further readings, nats that a doubt weighs, and doubts of a reading that does what it should say is unknown."""
_WELL, _LEFT_OUT = 0.75, 2.0
"""From which share of a text on the rules know it well; doubts of each thing that they read there and a reading lacks."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_NEARLY = 0.85
"""How alike a mistyped word is to what was meant."""
_RULED, _UNSAID = 4.0, -6.0
"""Nats in favour of what rules read, where they explain all of a text; nats of a reading that the model has no tokens for."""


def read_prompts(lm: MotionLM, prompts: Sequence[str], tries: int = TRIES) -> list[Script]:
    """What each prompt asks for.

    Args:
        prompts: English texts.
        tries: readings of a text that the model is not sure of or that has doubts (``data_gen/text/doubts.py``),
            beside what exact rules read (``data_gen/reading``); the likeliest with the fewest doubts is taken. 1 takes the
            model's likeliest reading alone. A script line is taken as it is, and FACS codes
            and signs without words are read by the rules.

    Raises:
        ValueError: a prompt in another language than English, or a model that knows no scripts.
    """
    if not len(lm.vocabulary.script):
        raise ValueError("these weights were trained before scripts and cannot read prompts; give newer ones with --weights DIR")
    for prompt in prompts:
        if (language := other_language(prompt)) is not None:
            raise ValueError(f"the prompt {shortened(prompt)!r} seems to be {language}; facelm reads English only")
        if not plain(prompt):
            raise ValueError('the prompt has no visible characters; write what the face does, e.g. "She smiles."')
    marked = [find_quantities(plain(p)) for p in prompts]
    by_rules = [read_rules(m) for m in marked]
    exact = [_without_model(m, ruled, p) for m, ruled, p in zip(marked, by_rules, prompts, strict=True)]
    worded = [i for i, script in enumerate(exact) if script is None]
    out: list[Script] = []
    for low in range(0, len(worded), _PART):
        part, rules = [marked[i] for i in worded[low:low + _PART]], [by_rules[i] for i in worded[low:low + _PART]]
        texts, values = [m.text for m in part], [Quantities(m.t, m.p, m.c) for m in part]
        likeliest = lm.read(texts, values)
        if tries == 1:
            out += [r.script for r in likeliest]
            continue
        found = [[r.script] for r in likeliest]
        for several, ruled in zip(found, rules, strict=True):
            if ruled is not None:
                several.insert(0, ruled.script)
        agreed = [ruled is not None and ruled.script == r.script for ruled, r in zip(rules, likeliest, strict=True)]
        unsure = [i for i, r in enumerate(likeliest)
                  if not agreed[i] and (r.nats < _SURE or _doubts(part[i], r.script, rules[i]))]
        again = [i for i in unsure for _ in range(tries - 1)]
        draws = [k for _ in unsure for k in range(tries - 1)]  # a prompt is read as if alone
        for i, one in zip(again, lm.read([texts[i] for i in again], [values[i] for i in again], Sampling(_WARMTH), draws)
                          if again else (), strict=True):
            found[i].append(one.script)
        out += _chosen(lm, part, found, rules)
    read = iter(out)
    return [_said(as_a_whole(next(read), prompt.lower()) if script is None else script, prompt)
            for script, prompt in zip(exact, prompts, strict=True)]


def _without_model(marked: Marked, ruled: RuleReading | None, prompt: str) -> Script | None:
    """The script of a text that is a script line already, or that has FACS codes or no words; None of any other."""
    if ruled is not None and ruled.coded:
        return ruled.script
    if ruled is None and _meaningless(marked.text):
        return Script()
    if not any(map(str.isalpha, marked.text)):
        return Script() if ruled is None else ruled.script
    text = plain(prompt)
    try:
        line = read_script(text)
    except ValueError:
        return None
    # a name of two words is one where it is written as one: "look up" are words, which mean the eyes
    names = [*(c.name for c in line.cues), *(n.name for n in line.never)]
    return line if (names or line.still) and all("_" not in n or n in text.lower() for n in names) else None


def _said(script: Script, prompt: str) -> Script:
    """The script; of a prompt in which nothing was found that a face does, all is unknown, and reported."""
    return replace(script, unknown=(shortened(" ".join(plain(prompt).split())),)) if script == Script() else script


def _doubts(text: Marked, script: Script, ruled: RuleReading | None) -> float:
    """Doubts of a reading; it should hold what rules read that know a text well, and say unknown of what a face has not."""
    if ruled is None:
        return doubts(text, script)
    said = " ".join(script.unknown).lower()
    missed = sum(not any(w in said for w in words.split()) for words in ruled.script.unknown)
    there = {sideless(c.name) for c in script.cues} | {sideless(n.name) for n in script.never}
    left_out = ruled.explained >= _WELL and sum(sideless(c.name) not in there for c in ruled.script.cues)
    return doubts(text, script) + _UNTOLD * missed + _LEFT_OUT * left_out


@cache
def _words() -> frozenset[str]:
    return frozenset(w for one in written("train") for w in _WORD.findall(one.text.lower()))


def _meaningless(text: str) -> bool:
    """Whether most words are not known, nor nearly one that is; the model, asked what it cannot know, would guess."""
    words = _WORD.findall(text.lower())
    return 2 * sum(w in _words() or bool(get_close_matches(w, _words(), 1, _NEARLY)) for w in words) < len(words)


def _chosen(lm: MotionLM, texts: Sequence[Marked], found: Sequence[Sequence[Script]],
            rules: Sequence[RuleReading | None]) -> list[Script]:
    """Of several readings of each text the likeliest, as far as the text itself leaves no doubts of it."""
    tried = [(i, s) for i, several in enumerate(found) for s in dict.fromkeys(several)]
    scored: dict[int, list[tuple[float, Script]]] = {}
    able, items = [], []
    for i, script in tried:
        try:
            items.append(write(script, Quantities(texts[i].t, texts[i].p, texts[i].c)))
            able.append((i, script))
        except ValueError:  # a rule's own number, of which the model knows no mark
            scored.setdefault(i, []).append((_UNSAID - _DOUBT * _doubts(texts[i], script, rules[i]), script))
    for (i, script), nats in zip(able, lm.likelihoods([texts[i].text for i, _ in able], items), strict=True):
        scored.setdefault(i, []).append((float(nats) - _DOUBT * _doubts(texts[i], script, rules[i]), script))
    out = []
    for i in range(len(found)):
        ruled = rules[i]
        out.append(max(scored[i], key=lambda pair: pair[0] + (
            _RULED * ruled.explained ** 8 if ruled is not None and pair[1] == ruled.script else 0.0))[1])
    return out


def plain(text: str) -> str:
    """A prompt without control characters, but with its line breaks, and with plain quotes, dashes and spaces."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    controls = ("Cc", "Cf", "Cs", "Zl", "Zp")
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


BEFORE = " > "
"""Between the line before and a line of a conversation."""
_A_SECOND = re.compile(r"\ba (?:(?:full|whole|good) )?sec(?:ond)?\b(?= (?:earlier|later|longer|shorter|sooner|more|less|too|off"
                       r"|over|prematurely|early|late)\b)", re.IGNORECASE)


def plan_request(line: str, before: str = "") -> tuple[str, Quantities]:
    """A line of a conversation as the model reads it, after the line before it, and the values of its marks."""
    marked = find_quantities(_A_SECOND.sub("1 second", " ".join(line.split())))
    text = f"{' '.join(before.split())[-120:]}{BEFORE}{marked.text}" if before else marked.text
    return text, Quantities(marked.t, marked.p, marked.c)


def with_length(script: Script, seconds: float | None) -> Script:
    """The script with a length that was asked for beside it."""
    return script if seconds is None else replace(script, seconds=seconds)
