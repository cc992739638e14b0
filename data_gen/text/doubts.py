"""What speaks against a reading of a text: facts of the text that code is sure of and that the script does not hold.

A language model that reads may drop a side or repeat a cue; whether a text says "left", negates something or names a sneeze is
no matter of opinion. The number of doubts chooses among several readings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from ...face.facs.script import Script
from ...face.facs.vocabulary import BEHAVIOUR, EMOTIONS, FEELING, NAMES
from ..wording.phrases import felt, inflect, nouns, verbs
from .quantities import Marked

_SIDE = re.compile(r"\b(left|right)(?:ward|wards|most|-hand|hand|ie|side)?\b", re.IGNORECASE)
_NOT_A_SIDE = re.compile(r"\bright (?:away|now|after|before|at|then|on|out|up|down|through)\b|\ball right\b|\bis left\b"
                         r"|\bleft (?:alone|out|over|behind|the|his|her|their|him)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:no|not|never|none|nothing|without|neither|nor|cannot|instead|minus|zero|stop|avoid|refrain)\b"
                       r"|\bfree of\b|n['’]?t\b", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:only|just|still|motionless|nothing else|frozen|otherwise|alone|rest of)\b", re.IGNORECASE)
_REST = re.compile(r"\b(?:rest(?: of \w+ (?:face|head))?|everything else|all else)(?: \w+)? (?:still|motionless)\b"
                   r"|\bnothing else\b", re.IGNORECASE)
_KEPT = re.compile(r"\b(?:keep\w*|hold\w*|closed|open)\b", re.IGNORECASE)
_ONE_SIDED = re.compile(r"\b(?:one|wink\w*|single|lopsided|crooked|side\w*|tilt\w*|cock\w*|au\d*|an?)\b", re.IGNORECASE)
_OTHER_VIEW = re.compile(r"viewer|camera|screen|stage|audience|picture|image|frame|other|opposite|same|both|house", re.IGNORECASE)
_AGAIN = re.compile(r"\b(?:again|twice|once more|more|repeat\w*|another|both|back|second|keep\w*|then|and|times)\b|[,;+&]",
                    re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def _past(verb: str) -> str:
    return verb + "d" if verb.endswith("e") else verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else verb + "ed"


@cache
def _names_of() -> dict[str, frozenset[str]]:
    """Word -> the names that it says all by itself."""
    found: dict[str, set[str]] = {}

    def add(word: str, name: str) -> None:
        word = word.lower().strip()
        if re.fullmatch(r"[a-z]+(?:-[a-z]+)*", word) and len(word) > 2:
            found.setdefault(word, set()).add(name)

    for name in NAMES:
        if name in EMOTIONS or name in FEELING:
            adjectives, things = felt(name)
            own = (name, *FEELING[name].words) if name in FEELING else ()
            for word in (*adjectives, *things, *own):
                add(word.partition("@")[0], name)
            continue
        for phrase in verbs(name, False):
            if not phrase.rest:
                for form in ("base", "third", "ger"):
                    add(inflect(phrase.head, form), name)
                add(_past(phrase.head), name)
        for text in nouns(name, False):
            add(re.sub(r"\{.\}\s*|^(?:a|an|the)\s+", "", text), name)
        if name in BEHAVIOUR:
            add(name, name)
    return {word: frozenset(names) for word, names in found.items()}


_KIN = tuple(map(frozenset, (
    ("smile", "happiness", "grin_teeth", "fake_smile", "lopsided_grin", "smirk"),
    ("brow_lower", "anger", "lip_corner_depress", "sadness"), ("talking", "whisper", "shout", "mouth_words"),
    ("blink", "wink", "eye_close", "flutter_lashes"), ("laugh", "giggle", "chuckle", "sneer_laugh", "suppress_laugh"),
    ("cry", "sob", "tearful", "hold_back_tears"), ("gaze", "look_around", "glare", "stare", "side_eye", "peek"))))
"""Names whose words are used for one another."""


def _related(names: frozenset[str]) -> set[str]:
    return set(names).union(*(kin for kin in _KIN if kin & names))


def doubts(text: Marked, script: Script) -> float:
    """How much speaks against a script as the reading of a text; 0 where nothing does."""
    total = 0.0
    words = _NOT_A_SIDE.sub(" ", text.text)
    said = {m.lower() for m in _SIDE.findall(words)}
    sides = {c.side for c in script.cues if c.side != "both"} | {n.side for n in script.never if n.side != "both"}
    viewer = bool(_OTHER_VIEW.search(words))
    if said and not sides or len(said) == 1 and not viewer and sides != said:
        total += 1.0
    elif not said and sides and not viewer and not _ONE_SIDED.search(words):
        total += 0.5
    negated = bool(_NEGATION.search(text.text))
    if script.never and not negated and not _ONLY.search(text.text) and not _KEPT.search(text.text):
        total += 1.0
    if negated and not script.never and not script.still and not script.unknown:
        total += 0.5
    if script.still and not _ONLY.search(text.text) and not negated:
        total += 1.0
    total += 4.0 * bool(_REST.search(text.text) and not script.still)
    total += _numbers(text, script) + _repeats(text, script)
    named = {c.name for c in script.cues} | {n.name for n in script.never} | {c.action for c in script.cues}
    known = _names_of()
    lower = text.text.lower()
    for word in dict.fromkeys(_WORD.findall(lower)):
        names = known.get(word)
        if names is not None and len(names) <= 3 and not named & _related(names) and word not in " ".join(script.unknown).lower():
            total += 0.6
    for unknown in script.unknown:
        total += 0.6 * any(w in known for w in _WORD.findall(unknown.lower()))
    return total


def _numbers(text: Marked, script: Script) -> float:
    """Quantities of the text that the script does not hold."""
    times = [v for c in script.cues for v in (c.start, c.end, c.pause, c.seconds, c.onset, c.hold, c.offset) if v is not None]
    times += [] if script.seconds is None else [script.seconds]
    shares = [c.strength for c in script.cues if c.strength is not None]
    counts = [float(c.count) for c in script.cues if c.count is not None]
    return sum(0.7 * _missing(said, held) for said, held in ((text.t, times), (text.p, shares))) + 0.5 * _missing(text.c, counts)


def _missing(said: Sequence[float], held: Sequence[float]) -> int:
    return sum(not any(abs(v - h) < 1e-6 for h in held) for v in dict.fromkeys(said))


def _repeats(text: Marked, script: Script) -> float:
    """Cues that are the same as one before, more often than a text can mean."""
    seen = [(c.name, c.side, c.strength, c.count, c.start, c.seconds) for c in script.cues]
    twins = sum(a == b for a, b in zip(seen, seen[1:], strict=False))
    long = max(0, len(script.cues) - 1 - len(_AGAIN.findall(text.text)))
    return 1.0 * twins + 0.15 * long
