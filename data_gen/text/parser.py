"""Which actions a text names: the lexicon read backwards.

Words are reduced to a common form (base verbs, one name for each part of the face, no
articles, possessives or adverbs), then the longest phrase of the lexicon that matches is
taken at each place. Held-out phrases are read as well as the training ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from ...face.facs.vocabulary import EMOTION_ACTIONS, EMOTIONS
from .lexicon import COUNTS, EMOTION_ADJECTIVES, EMOTION_ADV, EMOTION_NOUNS, EMOTION_QUANT, FACS, LEXICON, NUMBERS
from .phrases import PHRASES, emotion_words, gerund, past_forms, split_word, third

_TOKEN = re.compile(r"a[ud]s?\s?\d+(?:[+/]\d+)*[a-elr]?\b|[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|[.,;:&]")
_PARTS = {"eyebrows": "brow", "eyebrow": "brow", "brows": "brow", "eyes": "eye", "eyelids": "lid", "eyelid": "lid",
          "lids": "lid", "lips": "lip", "cheeks": "cheek", "corners": "corner", "lashes": "lash", "ends": "end",
          "tips": "tip", "upward": "up", "upwards": "up", "downward": "down", "downwards": "down",
          "leftward": "left", "leftwards": "left", "rightward": "right", "rightwards": "right",
          "downturned": "turn-down"}
_DROPPED_TEXT = (
    "a an the of to her his their its your my our both very slightly little bit lot far all way quickly slowly "
    "faintly softly gently lightly mildly strongly firmly deeply broadly widely fully completely partly halfway "
    "tightly vigorously loudly quietly animatedly energetically extremely really briefly hard small big slight "
    "strong firm broad faint deep wider pronounced hint mild intense great so quite rather suddenly gradually "
    "sharply clearly moderately somewhat subtly heavily")
_DROPPED = frozenset(_DROPPED_TEXT.split())
_EMOTION_ADVERBS = {"happily": "happiness", "sadly": "sadness", "angrily": "anger", "fearfully": "fear",
                    "contemptuously": "contempt", "scornfully": "contempt"}
_NEGATIONS = frozenset({"not", "no", "never", "without", "don't", "doesn't", "didn't", "isn't", "aren't", "cannot",
                        "can't", "neither", "nor", "nothing"})
_BREAKS = frozenset({".", ",", ";", ":", "then", "but", "and", "while", "as", "with", "before", "after", "next",
                     "followed", "&", "alongside", "together"})
# one expression turning into another, in the common form of a sequence
_BECOMES = re.compile(r"\b(?:giv(?:es?|ing) way to|turn(?:s|ing)? into|chang(?:es|ing) to)\b")
_NEW_GROUP = frozenset({".", ";", "then", "next", "followed", "before", "afterwards", "after", "finally", "later",
                        "subsequently", "succeeded", "during", "over", "top", "meanwhile", "holding", "hold"})


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
    """Names in the order of time; those of one group are at the same time, as far as the words tell."""

    @property
    def names(self) -> tuple[str, ...]:
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
    for noun in ("nod", "wink", "blink", "shake", "smile", "grin", "frown", "glance", "squint", "pout"):
        out[noun + "s"] = noun
    for words in (EMOTION_ADJECTIVES, EMOTION_NOUNS):
        for name in words:
            for word in emotion_words(name):
                for token in word.split():
                    out.pop(token, None)  # "pleased", "turned off" are words of their own
    out.update({"turned": "turn", "put": "put", "taken": "taken", "caught": "caught"})
    return {**out, **_PARTS}


def tokens(text: str) -> list[str]:
    """A text in the common form, adverbs and articles included."""
    lemmas = _lemmas()
    plain = text.lower().replace("-", " ").replace("\u2019", "'")
    return [lemmas.get(t, t) for t in _TOKEN.findall(_BECOMES.sub("then", plain))]


def _key(text: str) -> tuple[str, ...]:
    return tuple(t for t in tokens(_bare(text)) if t not in _DROPPED)


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
    for adverb, name in _EMOTION_ADVERBS.items():
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
    out = {}
    for name, codes in FACS.items():
        for code in codes:
            if " " not in code:
                out[code.lower()] = name
    for extra, name in (("au2", "brow_raise"), ("au6", "squint"), ("au7", "squint"), ("au27", "mouth_open"),
                        ("au26/27", "mouth_open"), ("au25+27", "mouth_open"), ("au25", "mouth_open")):
        out[extra] = name
    return out


_CODE_LEVEL = {"a": "slight", "b": "slight", "c": "medium", "d": "strong", "e": "strong"}


def _read_code(token: str, before: str) -> list[Mention]:
    """Mentions of one FACS token ("au12e", "ad30l", "au6+12"); unknown codes give none."""
    code = re.sub(r"\s", "", token).replace("aus", "au").replace("ads", "ad")
    level = "medium"
    if code[-1] in _CODE_LEVEL:
        code, level = code[:-1], _CODE_LEVEL[code[-1]]
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
            for w in map(split_word, words):
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


def text_facts(text: str) -> TextFacts:
    """Read a text: which actions and emotions it names, in what order, how strong, how often.

    A neutral face is the absence of action and is not reported; what is negated ("does not
    blink") is left out. "X after Y" puts Y first.
    """
    raw = tokens(text)
    words = [(i, t) for i, t in enumerate(raw) if t not in _DROPPED]
    table, levels, own = _by_first(), _level_words(), _own_level()
    found: list[tuple[Mention, int, int]] = []  # with the range of raw tokens
    breaks: list[int] = []
    negated, position = False, 0
    while position < len(words):
        at, token = words[position]
        if re.match(r"a[ud]s?\s?\d", token):
            coded = [] if negated else _read_code(token, words[position - 1][1] if position else "")
            found += [(m, at, at) for m in coded]
            position += 1
            continue
        for key, name in table.get(token, ()):
            if tuple(t for _, t in words[position:position + len(key)]) == key:
                end = words[position + len(key) - 1][0]
                if not negated:
                    found.append((Mention(name, own.get(key, "medium")), at, end))
                position += len(key)
                break
        else:
            if token in _NEGATIONS:
                negated = True
            elif token in _BREAKS:
                negated = False
            if token in _BREAKS or token in _NEW_GROUP:
                breaks.append(at)
            position += 1
    mentions: list[Mention] = []
    for k, (m, start, end) in enumerate(found):
        low = max([found[k - 1][2] + 1 if k else 0, *(b for b in breaks if b < start)])
        high = min([found[k + 1][1] if k + 1 < len(found) else len(raw), *(b for b in breaks if b > end)])
        around = raw[low:end + 1 if m.name in EMOTIONS else high]  # "very" goes before its emotion
        level = m.level
        if level == "medium":
            said = (w for w in around if w in levels and (w != "wide" or m.name in ("smile", "mouth_open")))
            level = next((levels[w] for w in said), "medium")
        mentions.append(replace(m, level=level, count=_count_in(around)))
    groups: list[list[int]] = [[0]] if found else []
    for k in range(1, len(found)):
        between = raw[found[k - 1][2] + 1:found[k][1]]
        between_emotions = {found[k - 1][0].name, found[k][0].name} <= set(EMOTIONS)
        if any(w in _NEW_GROUP for w in between) or (between_emotions and "to" in between):
            groups.append([k])
        else:
            groups[-1].append(k)
    for g in range(1, len(groups)):
        between = raw[found[groups[g - 1][-1]][2] + 1:found[groups[g][0]][1]]
        starts_sentence = not any(w in (".", ";", "then") for w in between)
        if "after" in between and starts_sentence and between[between.index("after") + 1:][:1] != ["which"]:
            groups[g - 1], groups[g] = groups[g], groups[g - 1]
    ordered = [k for group in groups for k in group]
    return TextFacts(tuple(mentions[k] for k in ordered), tuple(tuple(mentions[k].name for k in g) for g in groups))


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
