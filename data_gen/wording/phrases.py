"""The words of everything that a script can name: verb and noun phrases of actions and behaviours, words of feelings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, FEELING
from .. import text
from ..tables import read_table
from ..text import lexicon
from ..text.quantities import find_spans

Words = tuple[str, ...]


@checked(frozen=True, config=SETTINGS)
class _Extra:
    verbs: Words = ()
    nouns: Words = ()
    sided: Words = ()
    sided_nouns: Words = ()


@checked(frozen=True, config=SETTINGS)
class _Felt:
    adjectives: Words
    nouns: Words


@checked(frozen=True, config=SETTINGS)
class _Asked:
    actions: dict[str, _Extra]
    left_out: frozenset[str]
    left_out_feelings: frozenset[str]
    emotions: dict[str, _Felt]
    neutral: Words
    feeling_nouns: dict[str, str]
    counted: frozenset[str]
    states: frozenset[str]
    degrees: dict[str, dict[str, Words]]
    adjectives: dict[str, Words]
    adverbs: dict[str, Words]
    quantities: dict[str, Words]
    slow: Words
    fast: Words
    slow_adjective: Words
    fast_adjective: Words
    subjects: tuple[tuple[str, str, str, str], ...]
    wishes: Words
    requests: Words
    modals: Words
    ordered: dict[int, Words]
    beside: dict[str, Words]
    unknown: Words
    group_still: dict[str, Words]


ASKED = read_table(text.__name__, "words/asked.yaml", _Asked)
_A_NOUN = re.compile(r"an? (?!\{)(?=\w)")


@dataclass(frozen=True)
class Phrase:
    """One way to say a cue: a verb and its rest, or a noun phrase; the slots are those of ``words/asked.yaml``."""

    head: str
    rest: str = ""


def phrase(text: str) -> Phrase:
    """Read "verb|rest"."""
    head, _, rest = text.partition("|")
    return Phrase(head, rest)


@cache
def _raw(name: str, sided: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Verbs and nouns of an action or behaviour, as the tables have them."""
    extra = ASKED.actions.get(name, _Extra())
    if sided and name not in DIRECTIONS:
        return extra.sided, extra.sided_nouns
    if name in BEHAVIOUR:
        verbs, nouns = BEHAVIOUR[name].words, BEHAVIOUR[name].nouns
    elif name in DIRECTIONS:
        entry = lexicon.LEXICON.get(f"{name}_left")
        verbs, nouns = (entry.verbs, entry.nouns) if entry else ((), ())
        verbs, nouns = (tuple(re.sub(r"\bleft\b", "{s}", t) for t in texts) for texts in (verbs, nouns))
        verbs, nouns = verbs + extra.sided, nouns + extra.sided_nouns
    else:
        entry = lexicon.LEXICON.get(name)
        verbs, nouns = (entry.verbs, entry.nouns) if entry else ((), ())
        verbs, nouns = verbs + extra.verbs, nouns + extra.nouns
    return tuple(_plain(verbs)), tuple(_plain(nouns))


def _plain(texts: Sequence[str]) -> list[str]:
    """Without phrases that are held out, say a strength, or are left out."""
    return [t for t in texts if t[0] != "*" and "@" not in t and t not in ASKED.left_out]


@cache
def verbs(name: str, sided: bool) -> tuple[Phrase, ...]:
    """The verb phrases of an action or behaviour."""
    return tuple(map(phrase, _raw(name, sided)[0]))


@cache
def nouns(name: str, sided: bool) -> tuple[str, ...]:
    """The noun phrases of an action or behaviour, with a place for an adjective."""
    return tuple(t if "{" in t.replace("{s}", "") else _A_NOUN.sub("a {a} ", t, count=1) if _A_NOUN.match(t) else "{d} " + t
                 for t in _raw(name, sided)[1])


@cache
def felt(name: str) -> tuple[Words, Words]:
    """Adjectives and nouns of an emotion or feeling."""
    if name in ASKED.emotions:
        return ASKED.emotions[name].adjectives, ASKED.emotions[name].nouns
    if name == "startled_feeling":
        own = FEELING[name].words
    else:
        shown = name.replace("self_conscious", "self-conscious").replace("_", " ")
        own = (shown, shown, *FEELING[name].words)
    kept = tuple(w for w in own if _owner(w) == name and w not in ASKED.left_out_feelings and not find_spans(w))
    return kept or own[:1], tuple(n for n, of in ASKED.feeling_nouns.items() if of == name)


@cache
def _owners() -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for name, feeling in FEELING.items():
        for word in (name.replace("_", " "), *feeling.words):
            out.setdefault(word, set()).add(name)
    for name, e in ASKED.emotions.items():
        for word in e.adjectives:
            out.setdefault(word, set()).add(name)
    return out


def _owner(word: str) -> str:
    """The name that a word belongs to, or nothing where several share it."""
    names = _owners().get(word, {word.replace("-", "_")})
    return next(iter(names)) if len(names) == 1 else word.replace(" ", "_") if word.replace(" ", "_") in names else ""


def inflect(verb: str, form: str) -> str:
    """A verb in the form ``base``, ``third`` or ``ger``."""
    if form == "base":
        return verb
    if form == "third":
        return {"have": "has", "be": "is"}.get(verb) or lexicon.third(verb)
    return {"be": "being"}.get(verb) or lexicon.gerund(verb)
