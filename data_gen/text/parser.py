"""Which actions a text names: the lexicon read backwards.

Words are reduced to a common form (base verbs, one name for each part of the face, no
articles, possessives or adverbs), then the longest phrase of the lexicon that matches is
taken at each place. Held-out phrases are read as well as the training ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.vocabulary import EMOTIONS
from ..tables import read_table
from . import lexicon
from .lexicon import LEXICON, PHRASES, Phrase

_TOKEN = re.compile(r"a[ud]s?\s?\d+(?:[+/]\d+)*[a-elr]?\b|[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|[.,;:&]")
# one expression turning into another, in the common form of a sequence
_BECOMES = re.compile(r"\b(?:giv(?:es?|ing) way to|turn(?:s|ing)? into|chang(?:es|ing) to)\b")


@checked(frozen=True, config=SETTINGS)
class _Reading:
    parts: dict[str, str]
    nouns: tuple[str, ...]
    dropped: frozenset[str]
    adverbs: dict[str, str]
    negations: frozenset[str]
    breaks: frozenset[str]
    new_group: frozenset[str]
    codes: dict[str, str]
    code_levels: dict[str, str]


_TABLE = read_table(__package__, "words/reading.yaml", _Reading)


@dataclass(frozen=True)
class Mention:
    """One action or emotion that a text names."""

    name: str
    level: str = "medium"
    """slight | medium | strong; medium when no strength is said."""
    count: int = 0
    """How often, 0 when the text does not say."""


@dataclass(frozen=True)
class TextFacts:
    """What a text says about a face."""

    mentions: tuple[Mention, ...]
    groups: tuple[tuple[str, ...], ...]
    """Names in the order of time; those of one group are at the same time, as far as the words say."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is named, in the order of time."""
        return tuple(m.name for m in self.mentions)


def _whole(phrase: Phrase) -> str:
    return " ".join((phrase.part, phrase.head, phrase.rest))


@cache
def _lemmas() -> dict[str, str]:
    verbs = {p.head for phrases in PHRASES.values() for p in phrases if p.kind != "noun"}
    out: dict[str, str] = {}
    for verb in sorted(verbs):
        for form in (lexicon.third(verb), lexicon.gerund(verb), *lexicon.past_forms(verb)):
            out.setdefault(form, verb)
    out.update({noun + "s": noun for noun in _TABLE.nouns})
    for token in " ".join(word for name in lexicon.EMOTION_ADJECTIVES for word in lexicon.emotion_words(name)).split():
        out.pop(token, None)  # "pleased", "turned off" are words of their own
    out.update({"turned": "turn", "put": "put", "taken": "taken", "caught": "caught"})
    return {**out, **_TABLE.parts}


def tokens(text: str) -> list[str]:
    """A text in the common form, adverbs and articles included."""
    lemmas = _lemmas()
    plain = text.lower().replace("-", " ").replace("\u2019", "'")
    return [lemmas.get(t, t) for t in _TOKEN.findall(_BECOMES.sub("then", plain))]


def _key(text: str) -> tuple[str, ...]:
    return tuple(t for t in tokens(re.sub(r"\{\w+\}", " ", text)) if t not in _TABLE.dropped)


@cache
def patterns() -> dict[tuple[str, ...], str]:
    """Common form -> name.

    Raises:
        RuntimeError: two names share a common form (a defect of the lexicon).
    """
    said = [(_whole(p), name) for name in LEXICON for p in PHRASES[name]]
    said += [(word, name) for name in lexicon.EMOTION_ADJECTIVES for word in lexicon.emotion_words(name)]
    out: dict[tuple[str, ...], str] = {}
    for text, name in (*said, *_TABLE.adverbs.items()):
        key = _key(text)
        if not key or out.setdefault(key, name) != name:
            raise RuntimeError(f"{text!r} says both {out.get(key)} and {name}")
    return out


@cache
def _by_first() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    table: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for key, name in sorted(patterns().items(), key=lambda item: -len(item[0])):
        table.setdefault(key[0], []).append((key, name))
    return table


@cache
def _codes() -> dict[str, str]:
    plain = {code.lower(): name for name, codes in lexicon.FACS.items() for code in codes if " " not in code}
    return {**plain, **_TABLE.codes}


def _read_code(token: str, before: str) -> list[Mention]:
    """Mentions of one FACS token ("au12e", "ad30l", "au6+12"); unknown codes give none."""
    code = re.sub(r"\s", "", token).replace("aus", "au").replace("ads", "ad")
    level = "medium"
    if code[-1] in _TABLE.code_levels:
        code, level = code[:-1], _TABLE.code_levels[code[-1]]
    if code in ("au46", "ad30"):
        code += {"left": "l", "right": "r"}.get(before, "")
    table = _codes()
    if code in table:
        return [Mention(table[code], level)]
    numbers, names = re.split(r"[+/]", code[2:]), []
    if {"1", "2"} <= set(numbers):
        names, numbers = ["brow_raise"], [n for n in numbers if n not in ("1", "2")]
    names += [table[code[:2] + n] for n in numbers if code[:2] + n in table]
    return [Mention(name, level) for name in dict.fromkeys(names)]


@cache
def _level_words() -> dict[str, str]:
    out: dict[str, str] = {"slight": "slight", "strong": "strong"}
    for table in (lexicon.EMOTION_ADV, lexicon.EMOTION_QUANT):
        for level in ("slight", "strong"):
            out.update({w.split()[-1 if w != "a hint of" else 1]: level for w in table[level]})
    for e in LEXICON.values():
        for words, level in ((e.slight + e.slight_adj, "slight"), (e.strong + e.strong_adj, "strong")):
            out.update({w.split()[-1]: level for w in words})
    return out


@cache
def _own_level() -> dict[tuple[str, ...], str]:
    """Phrases and words that themselves say one strength ("furious", "beam")."""
    phrases = [(_whole(p), p) for name in LEXICON for p in PHRASES[name]]
    words = [(p.head, p) for table in (lexicon.EMOTION_ADJECTIVES, lexicon.EMOTION_NOUNS) for ws in table.values()
             for p in map(lexicon.parse_phrase, ws)]
    return {_key(text): next(iter(p.levels)) for text, p in (*phrases, *words) if p.says_level}


def _count_in(words: list[str]) -> int:
    text = " ".join(words)
    for n, phrase in enumerate(lexicon.COUNTS):
        if n and re.search(rf"\b{phrase}\b", text):
            return n
    if (m := re.search(r"\b(?:x\s?)(\d+)\b", text)) or (m := re.search(r"\b(\d+) times\b", text)):
        return int(m[1])
    for n, word in enumerate(lexicon.NUMBERS[2:], start=2):
        if re.search(rf"\b{word}\b (?:\w+ ){{0,2}}(?:nod|shake|blink|wink)\b", text):
            return n
    return 0


_Found = tuple[Mention, int, int]
"""A mention and the range of raw tokens that names it."""


def _find(raw: list[str]) -> tuple[list[_Found], list[int]]:
    """What the tokens name, and the places where a clause ends."""
    words = [(i, t) for i, t in enumerate(raw) if t not in _TABLE.dropped]
    table, own = _by_first(), _own_level()
    found: list[_Found] = []
    breaks: list[int] = []
    negated, position = False, 0
    while position < len(words):
        at, token = words[position]
        if re.match(r"a[ud]s?\s?\d", token):
            before = words[position - 1][1] if position else ""
            found += [] if negated else [(m, at, at) for m in _read_code(token, before)]
            position += 1
            continue
        options = table.get(token, ())
        match = next(((k, n) for k, n in options if tuple(t for _, t in words[position:position + len(k)]) == k), None)
        if match:
            key, name = match
            if not negated:
                found.append((Mention(name, own.get(key, "medium")), at, words[position + len(key) - 1][0]))
            position += len(key)
            continue
        if token in _TABLE.negations:
            negated = True
        elif token in _TABLE.breaks:
            negated = False
        if token in _TABLE.breaks or token in _TABLE.new_group:
            breaks.append(at)
        position += 1
    return found, breaks


def _qualified(k: int, found: list[_Found], breaks: list[int], raw: list[str]) -> Mention:
    """The k-th mention with the strength and count that are said around it."""
    m, start, end = found[k]
    low = max([found[k - 1][2] + 1 if k else 0, *(b for b in breaks if b < start)])
    high = min([found[k + 1][1] if k + 1 < len(found) else len(raw), *(b for b in breaks if b > end)])
    around = raw[low:end + 1 if m.name in EMOTIONS else high]  # "very" goes before its emotion
    level, levels = m.level, _level_words()
    if level == "medium":
        said = (w for w in around if w in levels and (w != "wide" or m.name in ("smile", "mouth_open")))
        level = next((levels[w] for w in said), "medium")
    return replace(m, level=level, count=_count_in(around))


def _grouped(found: list[_Found], raw: list[str]) -> list[list[int]]:
    """Numbers of the mentions in the order of time; those of one group are at the same time."""
    groups: list[list[int]] = [[0]] if found else []
    for k in range(1, len(found)):
        between = raw[found[k - 1][2] + 1:found[k][1]]
        emotions = {found[k - 1][0].name, found[k][0].name} <= set(EMOTIONS)
        if any(w in _TABLE.new_group for w in between) or (emotions and "to" in between):
            groups.append([k])
        else:
            groups[-1].append(k)
    for g in range(1, len(groups)):
        between = raw[found[groups[g - 1][-1]][2] + 1:found[groups[g][0]][1]]
        starts_sentence = not any(w in (".", ";", "then") for w in between)
        if "after" in between and starts_sentence and between[between.index("after") + 1:][:1] != ["which"]:
            groups[g - 1], groups[g] = groups[g], groups[g - 1]
    return groups


def text_facts(text: str) -> TextFacts:
    """Read a text: which actions and emotions it names, in what order, how strong, how often.

    A neutral face is the absence of action and is not reported; what is negated ("does not
    blink") is left out. "X after Y" puts Y first.
    """
    raw = tokens(text)
    found, breaks = _find(raw)
    groups = _grouped(found, raw)
    mentions = tuple(_qualified(k, found, breaks, raw) for group in groups for k in group)
    return TextFacts(mentions, tuple(tuple(found[k][0].name for k in g) for g in groups))


def actions_in_text(text: str) -> list[str]:
    """Names of the actions and emotions that a text (English, or FACS codes) mentions, in the order of time that it gives."""
    return list(text_facts(text).names)
