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
from ...face.facs.vocabulary import EMOTION_ACTIONS, EMOTIONS
from ..tables import read_table
from .lexicon import (
    COUNTS,
    EMOTION_ADJECTIVES,
    EMOTION_ADV,
    EMOTION_NOUNS,
    EMOTION_QUANT,
    FACS,
    LEXICON,
    NUMBERS,
    PHRASES,
    emotion_words,
    gerund,
    parse_phrase,
    past_forms,
    third,
)

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


def _bare(text: str) -> str:
    return re.sub(r"\{\w+\}", " ", text)


@cache
def _lemmas() -> dict[str, str]:
    out: dict[str, str] = {}
    verbs = {p.head for phrases in PHRASES.values() for p in phrases if p.kind != "noun"}
    for verb in sorted(verbs):
        for form in (third(verb), gerund(verb), *past_forms(verb)):
            out.setdefault(form, verb)
    out.update({noun + "s": noun for noun in _TABLE.nouns})
    for words in (EMOTION_ADJECTIVES, EMOTION_NOUNS):
        for name in words:
            for word in emotion_words(name):
                for token in word.split():
                    out.pop(token, None)  # "pleased", "turned off" are words of their own
    out.update({"turned": "turn", "put": "put", "taken": "taken", "caught": "caught"})
    return {**out, **_TABLE.parts}


def tokens(text: str) -> list[str]:
    """A text in the common form, adverbs and articles included."""
    lemmas = _lemmas()
    plain = text.lower().replace("-", " ").replace("\u2019", "'")
    return [lemmas.get(t, t) for t in _TOKEN.findall(_BECOMES.sub("then", plain))]


def _key(text: str) -> tuple[str, ...]:
    return tuple(t for t in tokens(_bare(text)) if t not in _TABLE.dropped)


@cache
def patterns() -> dict[tuple[str, ...], str]:
    """Common form -> name.

    Raises:
        RuntimeError: two names share a common form (a defect of the lexicon).
    """
    out: dict[tuple[str, ...], str] = {}

    def put(text: str, name: str) -> None:
        key = _key(text)
        if not key or out.get(key, name) != name:
            raise RuntimeError(f"{text!r} says both {out.get(key)} and {name}")
        out[key] = name

    for name in LEXICON:
        for p in PHRASES[name]:
            put(" ".join((p.part, p.head, p.rest)), name)
    for name in EMOTION_ADJECTIVES:
        for word in emotion_words(name):
            put(word, name)
    for adverb, name in _TABLE.adverbs.items():
        put(adverb, name)
    return out


@cache
def _by_first() -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    table: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for key, name in patterns().items():
        table.setdefault(key[0], []).append((key, name))
    return {k: tuple(sorted(v, key=lambda item: -len(item[0]))) for k, v in table.items()}


@cache
def _codes() -> dict[str, str]:
    plain = {code.lower(): name for name, codes in FACS.items() for code in codes if " " not in code}
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
    prefix, numbers = code[:2], re.split(r"[+/]", code[2:])
    out: list[Mention] = []
    if {"1", "2"} <= set(numbers):
        out.append(Mention("brow_raise", level))
        numbers = [n for n in numbers if n not in ("1", "2")]
    for n in numbers:
        name = table.get(prefix + n)
        if name and all(m.name != name for m in out):
            out.append(Mention(name, level))
    return out


@cache
def _level_words() -> dict[str, str]:
    out: dict[str, str] = {"slight": "slight", "strong": "strong"}
    for table in (EMOTION_ADV, EMOTION_QUANT):
        for level in ("slight", "strong"):
            out.update({w.split()[-1 if w != "a hint of" else 1]: level for w in table[level]})
    for e in LEXICON.values():
        for words, level in ((e.slight + e.slight_adj, "slight"), (e.strong + e.strong_adj, "strong")):
            out.update({w.split()[-1]: level for w in words})
    return out


@cache
def _own_level() -> dict[tuple[str, ...], str]:
    """Phrases and words that themselves say one strength ("furious", "beam")."""
    out: dict[tuple[str, ...], str] = {}
    for name in LEXICON:
        for p in PHRASES[name]:
            if p.says_level:
                out[_key(" ".join((p.part, p.head, p.rest)))] = next(iter(p.levels))
    for table in (EMOTION_ADJECTIVES, EMOTION_NOUNS):
        for words in table.values():
            for w in map(parse_phrase, words):
                if w.says_level:
                    out[_key(w.head)] = next(iter(w.levels))
    return out


def _count_in(words: list[str]) -> int:
    text = " ".join(words)
    for n, phrase in enumerate(COUNTS):
        if n and re.search(rf"\b{phrase}\b", text):
            return n
    if (m := re.search(r"\b(?:x\s?)(\d+)\b", text)) or (m := re.search(r"\b(\d+) times\b", text)):
        return int(m[1])
    for n, word in enumerate(NUMBERS[2:], start=2):
        if re.search(rf"\b{word}\b (?:\w+ ){{0,2}}(?:nod|shake|blink|wink)\b", text):
            return n
    return 0


@dataclass(frozen=True)
class _Found:
    """A mention and the range of raw tokens that names it."""

    mention: Mention
    start: int
    end: int


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
            found += [] if negated else [_Found(m, at, at) for m in _read_code(token, before)]
            position += 1
            continue
        options = table.get(token, ())
        match = next(((k, n) for k, n in options if tuple(t for _, t in words[position:position + len(k)]) == k), None)
        if match:
            key, name = match
            if not negated:
                found.append(_Found(Mention(name, own.get(key, "medium")), at, words[position + len(key) - 1][0]))
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
    m, start, end = found[k].mention, found[k].start, found[k].end
    low = max([found[k - 1].end + 1 if k else 0, *(b for b in breaks if b < start)])
    high = min([found[k + 1].start if k + 1 < len(found) else len(raw), *(b for b in breaks if b > end)])
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
        between = raw[found[k - 1].end + 1:found[k].start]
        emotions = {found[k - 1].mention.name, found[k].mention.name} <= set(EMOTIONS)
        if any(w in _TABLE.new_group for w in between) or (emotions and "to" in between):
            groups.append([k])
        else:
            groups[-1].append(k)
    for g in range(1, len(groups)):
        between = raw[found[groups[g - 1][-1]].end + 1:found[groups[g][0]].start]
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
    return TextFacts(mentions, tuple(tuple(found[k].mention.name for k in g) for g in groups))


def actions_in_text(text: str, *, expand_emotions: bool = False) -> list[str]:
    """Names of the actions and emotions that a text mentions, in the order of time that it gives.

    Args:
        text: English, or FACS codes.
        expand_emotions: replace an emotion by the actions that it entails.
    """
    names = list(text_facts(text).names)
    if not expand_emotions:
        return names
    out: list[str] = []
    for name in names:
        out += [n for n in (EMOTION_ACTIONS[name] if name in EMOTIONS else (name,)) if n not in out]
    return out
