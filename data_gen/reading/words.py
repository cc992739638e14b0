"""The tables of the rules, and the stems by which their words are found in any inflection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.script import BRIEF, LONG, SPEEDS, STRENGTHS, Cue
from ...face.facs.script_text import read_script
from ...face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, NAMES
from ..tables import read_table
from ..text import lexicon
from ..wording.phrases import felt, nouns, verbs

Words = tuple[str, ...]


@checked(frozen=True, config=SETTINGS)
class _Rules:
    parts: dict[str, Words]
    movements: dict[str, Words]
    acts: dict[str, dict[str, str]]
    phrases: dict[str, Words]
    sided: dict[str, Words]
    strengths: dict[str, Words]
    slow: Words
    fast: Words
    counts: dict[int, Words]
    joins: dict[str, Words]
    together: Words
    negations: Words
    only: Words
    held: Words
    brief: Words
    long: Words
    wait: Words
    beat: Words
    long_pause: Words
    absent: Words
    stop: Words
    emoji: dict[str, str]


RULES = read_table(__package__, "words.yaml", _Rules)
PHRASES: dict[str, Words] = read_table(__package__, "phrases.yaml", dict[str, Words])
IDIOMS: dict[str, Words] = read_table(__package__, "idioms.yaml", dict[str, Words])
SKIPPED = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "on",
        "at",
        "her",
        "his",
        "their",
        "its",
        "your",
        "my",
        "our",
        "in",
        "this",
        "that",
        "it",
        "he",
        "she",
        "they",
    ]
)
"""Words that phrases are found without."""
EXACT = "="
"""Before a word that is found in this form only."""
_IRREGULAR = {
    "lost": "lose",
    "saw": "see",
    "seen": "see",
    "flew": "fly",
    "wore": "wear",
    "took": "take",
    "made": "make",
    "got": "get",
    "caught": "catch",
    "swept": "sweep",
    "dug": "dig",
    "spat": "spit",
    "bore": "bear",
    "shut": "shut",
    "shook": "shake",
    "shaken": "shake",
    "stuck": "stick",
    "bit": "bit",
    "bitten": "bite",
    "fell": "fall",
    "fallen": "fall",
    "rose": "rise",
    "risen": "rise",
    "drew": "draw",
    "drawn": "draw",
    "blew": "blow",
    "blown": "blow",
    "thrown": "throw",
    "threw": "throw",
    "hung": "hang",
    "kept": "keep",
    "held": "hold",
    "went": "go",
    "said": "say",
    "spoke": "speak",
    "told": "tell",
    "sang": "sing",
    "wept": "weep",
    "woke": "wake",
    "became": "become",
    "grew": "grow",
    "wider": "wide",
    "eyes": "eye",
    "less": "less",
    "lips": "lip",
    "lying": "lie",
    "gone": "go",
    "grown": "grow",
    "frozen": "freeze",
    "froze": "freeze",
    "sank": "sink",
    "sunk": "sink",
    "gave": "give",
    "given": "give",
}


@cache
def stem(word: str) -> str:
    """A word without its inflection; the same for all forms of one word, and no word itself."""
    word = word.replace("’", "'")
    word = _IRREGULAR.get(word, word)
    if word.endswith("'s"):
        word = word[:-2]
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("shes", "ches", "sses", "xes", "zes")) else word[:-1]
    elif len(word) > 5 and word.endswith("ing") or len(word) > 4 and word.endswith("ed"):
        word = word[:-3] if word.endswith("ing") else word[:-2]
        if word.endswith("i"):
            word = word[:-1] + "y"
        if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
            word = word[:-1]
    return word[:-1] if len(word) > 2 and word.endswith("e") and not word.endswith("ee") else word


@dataclass(frozen=True)
class Tag:
    """What a phrase means: its kind, and a value of that kind."""

    kind: str
    """cue, sided, part, move, strength, speed, count, join, together, not, only, held, time, stop."""
    value: object = None
    state: bool = False
    """Of a cue: named by a noun or adjective, not done."""


@dataclass
class Node:
    """A place in the tree of all phrases."""

    next: dict[str, Node] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)


_WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*|\{.\}")


LEFT_OUT = frozenset(["down", "up", "low", "open", "dead", "high", "blue", "cross", "off", "short", "content-", "light", "hard"])
"""Words of feelings that mostly say something else."""


def _stems(phrase: str, felt_: bool = False, whole: bool = False) -> list[str]:
    if felt_:
        return [EXACT + w for w in _WORD.findall(phrase.lower()) if w not in SKIPPED]
    phrase = re.sub(r"\{.\}", " ", phrase.lower().replace("{s}-eye", "eye"))
    if whole:
        return [stem(w) for w in _WORD.findall(phrase)]
    return [stem(w) for w in _WORD.findall(phrase) if w not in SKIPPED and w not in ("left", "right")]


def _own() -> Iterator[tuple[str, Tag]]:
    """Phrases of the tables of names: the first of two that are the same counts."""
    for said, words in (*RULES.phrases.items(), *PHRASES.items(), *IDIOMS.items()):
        name, _, rest = said.partition(" ")
        if name in DIRECTIONS and "left" not in rest:
            yield from ((phrase, Tag("sided", name)) for phrase in words)
            continue
        script = read_script(said)
        tag = Tag("whole", script) if script.never or script.still else Tag("cue", script.cues)
        yield from ((phrase, tag) for phrase in words)
    for name, words in RULES.sided.items():
        for phrase in words:
            yield phrase, Tag("sided", name)
    for name in NAMES:
        kind = "sided" if name in DIRECTIONS and name != "wink" else "cue"
        if name in EMOTIONS or name in FEELING:
            adjectives, things = felt(name)
            own = (name.replace("_", " "), *FEELING[name].words) if name in FEELING else ()
            for word in (*adjectives, *own, *things):
                word = word.partition("@")[0].lstrip("*")
                if word not in LEFT_OUT:
                    yield word, Tag("felt", (Cue(name),), True)
            continue
        value: object = name if kind == "sided" else (Cue(name, "left" if name == "wink" else "both"),)
        for sided in (False, True):
            for verb in verbs(name, sided):
                yield f"{verb.head} {verb.rest}", Tag(kind, value)
            for noun in nouns(name, sided):
                yield noun, Tag(kind, value, True)
        yield name.replace("_", " "), Tag(kind, value, True)
        if name in BEHAVIOUR:
            for word in (*BEHAVIOUR[name].words, *BEHAVIOUR[name].nouns):
                yield word.replace("|", " ").lstrip("*"), Tag(kind, value)
    for key, entry in lexicon.LEXICON.items():
        base, _, side = key.rpartition("_")
        sided_name = base if base in DIRECTIONS else ""
        for text in (*entry.verbs, *entry.nouns, *entry.parts):
            body = text.lstrip("*").partition("@")[0].replace("|", " ").replace(":", " ")
            if sided_name:
                yield body, Tag("sided", sided_name) if sided_name != "wink" else Tag("cue", (Cue("wink", "left"),))
            elif "@" not in text:
                yield body, Tag("cue", (Cue(key),), text in entry.parts or text in entry.nouns)


def _all() -> Iterator[tuple[str, Tag]]:
    for kind, table in (("part", RULES.parts), ("move", RULES.movements), ("join", RULES.joins)):
        for value, words in table.items():
            for word in words:
                yield word, Tag(kind, value)
    for level, words in RULES.strengths.items():
        for word in words:
            yield word, Tag("strength", STRENGTHS[level])
    for speed in ("slow", "fast"):
        for word in getattr(RULES, speed):
            yield word, Tag("speed", SPEEDS[speed])
    for number, words in RULES.counts.items():
        for word in words:
            yield word, Tag("count", number)
    others: tuple[tuple[str, Words, float | None], ...] = (
        ("not", RULES.negations, None),
        ("only", RULES.only, None),
        ("held", RULES.held, None),
        ("brief", RULES.brief, BRIEF),
        ("brief", RULES.long, LONG),
        ("wait", RULES.wait, None),
        ("beat", RULES.beat, BRIEF),
        ("beat", RULES.long_pause, LONG),
        ("together", RULES.together, None),
        ("absent", RULES.absent, None),
    )
    for kind, words, seconds in others:
        for word in words:
            yield word, Tag(kind, seconds)
    yield from _own()


@cache
def tree() -> Node:
    """All phrases by their stems; a phrase may have one tag of each kind."""
    root = Node()
    for phrase, tag in _all():
        found = _stems(phrase, tag.kind == "felt", tag.kind not in ("cue", "sided", "part", "move", "absent", "whole"))
        tag = Tag("cue", tag.value, tag.state) if tag.kind == "felt" else tag
        if not found:
            continue
        node = root
        for s in found:
            node = node.next.setdefault(s, Node())
        node.tags.setdefault(tag.kind, tag)
    for word in RULES.stop:
        root.next.setdefault(EXACT + word, Node()).tags.setdefault("stop", Tag("stop"))
    return root


@cache
def vocabulary() -> frozenset[str]:
    """All stems of the tables."""
    found: set[str] = set()
    todo = [tree()]
    while todo:
        node = todo.pop()
        found |= node.next.keys()
        todo += node.next.values()
    return frozenset(found)
