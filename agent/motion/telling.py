"""What a clip shows, in words that a measurement makes: descriptions, and answers to questions about facts."""

from __future__ import annotations

import re

import numpy as np

from ...data_gen.text.captions import describe
from ...data_gen.text.from_facts import explain, texts_for
from ...data_gen.text.parser import actions_in_text
from ...face.facs.measured import Measurement
from ...face.facs.vocabulary import ACTION

_ASKED = 240
"""Questions that are made of a clip's facts; the asked one is looked for among them."""
_DRAWS = 4
_EMPTY = frozenset({"a", "an", "the", "does", "do", "did", "is", "are", "was", "were", "they", "them", "their", "his", "her",
                    "its", "this", "clip", "video", "please", "exactly"})
"""Words by which two wordings of one question may differ."""
SHORTEST, LONGEST = 0.2, 60.0
"""Seconds of a clip whose facts are worded."""


def tell(measured: Measurement) -> str:
    """A description of what was measured."""
    return describe(explain(measured, _seconds(measured)).script)


UNSEEN = ("That can't be measured on the face's motion; ask about its actions, their number, side, time, strength or order, or "
          "the emotion that it shows.")


def answer(measured: Measurement, question: str) -> str:
    """The answer to a question about facts of a clip; :data:`UNSEEN` where it is about something else."""
    asked = _core(question)
    for seed in range(_DRAWS):
        texts = texts_for(measured, _seconds(measured), np.random.default_rng(seed), n_captions=1, n_questions=_ASKED)
        for other, reply in zip(texts.questions, texts.answers, strict=True):
            if _core(other) == asked:
                return reply
    return _counted(measured, question) or UNSEEN


def _counted(measured: Measurement, question: str) -> str | None:
    """The answer to a question that names actions: whether, how often or when; None where it asks for something else."""
    named = [n for n in actions_in_text(question) if n in ACTION]
    either = not named and "wink" in question.lower()
    if either:
        named = ["wink_left", "wink_right"]
    if not named:
        return None
    side = re.search(r"\b(left|right)\b", question, re.IGNORECASE)
    found = [a for a in measured.everything if a.name in named
             and (side is None or a.side in ("both", side[1].lower()) or not ACTION[a.name].paired)]
    if re.match(r"\W*how (?:often|many)", question, re.IGNORECASE):
        count = sum(a.cycles or 1 for a in found)
        return ("Not at all.", "Once.", "Twice.")[count] if count < 3 else f"{count} times."
    if re.match(r"\W*(?:does|do|did|is|are|was|has|have|can)\b", question, re.IGNORECASE):
        return "Yes." if (found if either else {a.name for a in found} >= set(named)) else "No."
    if not found:
        return f"There is no {ACTION[named[0]].label}." if "wink" not in named[0] else "Neither."
    if re.match(r"\W*(?:when|at what time)\b", question, re.IGNORECASE):
        return f"At {found[0].onset:.1f} s."
    return None


def _seconds(measured: Measurement) -> float:
    return min(max(measured.seconds, SHORTEST), LONGEST)


_WHO = re.compile(r"\b(?:she|he|they|it|the (?:face|person|woman|man|subject|character))\b")


def _core(question: str) -> list[str]:
    """The words of a question that matter: not whom it is about, capitals, points and articles."""
    words = re.sub(r"[^a-z0-9 ]+", "", _WHO.sub("they", question.lower())).split()
    return [w for w in words if w not in _EMPTY]
