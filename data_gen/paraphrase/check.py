"""Does a rewritten sentence still say the same? Read back, word by word.

The reader knows the phrases of data_gen/text/lexicon.py. What it does not know it cannot check, so
every word of a rewrite must belong to such a phrase, be in the original outside of one, or be
a plain English word that says nothing about a face.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, read_yaml
from ...face.facs.schedule import Schedule, level_of
from ..text.lexicon import COUNTS, NUMBERS, PHRASES, WORDS
from ..text.parser import TextFacts, patterns, text_facts, tokens
from ..text.parser import _key as common_form
from ..text.parser import _level_words as level_words

_WORDS = {name: frozenset(text.split()) for name, text in read_yaml(Path(__file__).parent / "words" / "check.yaml").items()}
PLAIN_WORDS: frozenset[str] = _WORDS["plain"] | frozenset(".,;:&")
"""Words beside the phrases of the lexicon that cannot say anything about a face: no part of it, no motion, no feeling."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_CODE = re.compile(r"\ba[ud]s?\s?\d", re.IGNORECASE)


@dataclass(frozen=True, config=SETTINGS)
class CheckConfig:
    """How strict a rewrite is read."""

    allow_lost: bool = False
    """Whether a rewrite may leave actions out."""
    known_words: bool = True
    """Whether every word must be known; otherwise an unknown word may say something that is not checked."""
    longest: Annotated[float, Field(ge=1.0, le=10.0)] = 2.5
    """Most words, as a multiple of the original's (and 12 more)."""


def clean(reply: str) -> str:
    """The sentence in a reply: without quotation marks, a label in front, or a code fence."""
    text = reply.strip()
    text = re.sub(r"^```\w*\n?|\n?```$", "", text).strip()
    text = re.sub(r"^(?:(?:here is|here's) [^:\n]{0,60}|rewritten(?: \w+)?|caption|sentence|output)\s*:\s*", "", text,
                  flags=re.IGNORECASE)
    pairs = {'"': '"', "'": "'", "\u201c": "\u201d", "`": "`"}
    if len(text) > 2 and pairs.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


@cache
def _keys() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Common forms of all phrases by their first word, longest first; whole ones ("make a sad face") too."""
    table: dict[str, list[tuple[str, ...]]] = {}
    for key in {*patterns(), *(key for key, _ in _whole() if key)}:
        table.setdefault(key[0], []).append(key)
    return {k: tuple(sorted(v, key=len, reverse=True)) for k, v in table.items()}


def residue(text: str) -> list[str]:
    """The words of a text, in the common form, that belong to no phrase of the lexicon and say no strength."""
    words, table, levels = common_form(text), _keys(), level_words()
    out: list[str] = []
    at = 0
    while at < len(words):
        key = next((k for k in table.get(words[at], ()) if words[at:at + len(k)] == k), None)
        if key is None and words[at] not in levels and not _CODE.match(words[at]):
            out.append(words[at])
        at += len(key) if key else 1
    return out


@cache
def _feelings() -> frozenset[tuple[str, ...]]:
    """Emotion words that the lexicon does not read (words/feelings.yaml)."""
    return frozenset(tuple(w.replace("-", " ").split()) for w in WORDS if not text_facts(w).mentions and w != "neutral")


def _whole() -> Iterator[tuple[tuple[str, ...], bool]]:
    """Common form of every phrase, part and rest included, and whether it is held out for the test split."""
    for phrases in PHRASES.values():
        for p in phrases:
            yield common_form(" ".join((p.part, p.head, p.rest))), p.held_out


@cache
def _reserved() -> frozenset[tuple[str, ...]]:
    """Common forms of phrases that only the test split uses."""
    return frozenset(k for k, held in _whole() if k and held) - {k for k, held in _whole() if not held}


def _contains(words: Sequence[str], part: Sequence[str]) -> bool:
    return any(tuple(words[i:i + len(part)]) == tuple(part) for i in range(len(words) - len(part) + 1))


def _shape(facts: TextFacts) -> list[Counter[str]]:
    return [Counter(g) for g in facts.groups]


def problems(original: str, rewrite: str, *, script: Schedule | None = None, split: str = "train",
             config: CheckConfig | None = None) -> list[str]:
    """Why a rewrite must not replace its original; empty when it may.

    Args:
        original: a sentence that is known to be true of the clip.
        rewrite: another way to say it.
        script: what is performed; a rewrite may then say strengths and counts that the original left unsaid.
        split: outside test, phrases that are reserved for the test split are refused.
        config: how strict.
    """
    cfg = config or CheckConfig()
    original, rewrite = _counts(original), _counts(rewrite)
    words, before = _WORD.findall(rewrite.lower().replace("\u2019", "'")), _WORD.findall(original.lower())
    if not words:
        return ["is empty"]
    if "\n" in rewrite.strip() or any(ord(c) < 32 for c in rewrite):
        return ["has several lines"]
    if len(words) > cfg.longest * len(before) + 12:
        return [f"has {len(words)} words for {len(before)}"]
    out: list[str] = []
    was, now = text_facts(original), text_facts(rewrite)
    have, want = Counter(now.names), Counter(was.names)
    out += [f"invents {n}" for n in (have - want)]
    lost = list((want - have).elements())
    if lost and not (cfg.allow_lost and have):
        out += [f"loses {n}" for n in lost]
    if not out:
        out += _same_story(was, now, lost, script)
    out += _side_issues(original, rewrite, words, before)
    out += [f"says {' '.join(f)}" for f in _feelings() if _contains(words, f) and not _contains(before, f)]
    if split != "test":
        form = common_form(rewrite)
        out += [f"uses {' '.join(k)!r}, a phrase of the test split" for k in _reserved()
                if _contains(form, k) and not _contains(common_form(original), k)]
    if cfg.known_words:
        known = PLAIN_WORDS | {t for w in PLAIN_WORDS for t in tokens(w)} | set(residue(original))
        unknown = [w for w in residue(rewrite) if w not in known and not _NUMBER.fullmatch(w)]
        out += [f"uses the unknown word {w!r}" for w in dict.fromkeys(unknown)]
    return out


def _counts(text: str) -> str:
    """Counts in the words that the reader knows."""
    text = re.sub(r"\bone time\b", "once", text, flags=re.IGNORECASE)
    return re.sub(r"\btwo times\b", "twice", text, flags=re.IGNORECASE)


def _same_story(was: TextFacts, now: TextFacts, lost: Sequence[str], script: Schedule | None) -> list[str]:
    """Order, strengths and counts of two texts that name the same."""
    out: list[str] = []
    shape = [Counter({n: c for n, c in g.items() if n not in lost}) for g in _shape(was)]
    if [g for g in shape if g] != _shape(now):
        out.append("changes what happens when")
    for name in dict.fromkeys(now.names):
        old = [m for m in was.mentions if m.name == name]
        done = [e for e in script.events if e.name == name] if script else []
        for m, o in zip((m for m in now.mentions if m.name == name), old, strict=False):
            if m.level not in ("medium", o.level, *(level_of(e.intensity) for e in done)):
                out.append(f"makes {name} {m.level}")
            counts = {o.count or 1} if o.count or not done else {max(e.cycles, 1) for e in done}
            if (m.count or 1) != (o.count or 1) and m.count not in counts:
                out.append(f"counts {name} {m.count or 1} times, not {o.count or 1}")
    return out


def _side_issues(original: str, rewrite: str, words: Sequence[str], before: Sequence[str]) -> list[str]:
    """Sides, denials, numbers, gender and codes that the original does not have."""
    out = [f"says {side}" for side in ("left", "right") if words.count(side) > before.count(side)]
    out += [f"denies something ({w})" for w in sorted(_WORDS["negative"] & set(residue(rewrite)) - set(residue(original)))]
    numbers = set(_NUMBER.findall(rewrite)) - set(_NUMBER.findall(original))
    spelled = {str(i) for i, w in enumerate(NUMBERS) if i and re.search(rf"\b(?:{w}|{COUNTS[i]})\b", original.lower())}
    out += [f"says the number {n}" for n in sorted(numbers - spelled)]
    out += [f"says it is a {who}" for who in ("woman", "man") if _WORDS[who] & set(words) and not _WORDS[who] & set(before)]
    if _CODE.search(rewrite) and not _CODE.search(original):
        out.append("uses FACS codes")
    return out
