"""What a line of a conversation asks for: a question, a description, a transition or a performance."""

from __future__ import annotations

import re

from ..data_gen.text.parser import actions_in_text
from ..data_gen.text.transition_text import Instruction, find_emotions, parse
from ..face.facs.vocabulary import ACTION

_POLITE = re.compile(r"^(?:please\s+|(?:can|could|would|will) you (?:please )?)", re.IGNORECASE)
"""A request in the form of a question: what follows is performed."""
_TELL = re.compile(r"^(?:(?:can|could|would|will) you )?(?:please )?(?:tell me|describe)\b[ ,:]*", re.IGNORECASE)
_QUESTION = re.compile(
    # "Have her smile.", "Do a wink." and "When the smile fades, nod." ask for a performance
    r"\?\s*$|^(?:what|which|who|how|does|did|is|are|was|were|has)\b"
    r"|^do (?:they|the|you|her|his|its|both)\b|^when (?:does|do|did|is|are|was|were)\b", re.IGNORECASE)
_FROM_TO = re.compile(r"\bfrom\s+([^.;]{2,60}?)\s+(?:in)?to\s", re.IGNORECASE)
_CLAUSE = re.compile(r"[,.;!?]")
_AGAIN = r"^(?:(?:and|then|now|next|please|ok|okay),?\s+)*"
_VERB = r"(?:change|turn|make|transform|morph|shift|fade|bring|convert|take|modify)\s+"
_THIS_FACE = re.compile(_AGAIN + _VERB + r"this (?:face|expression)\b", re.IGNORECASE)
_CHANGE_IT = re.compile(
    _AGAIN + _VERB + r"(?:(?:it|(?:this|the|her|his|their) (?:face|expression))\b|(?:her|him|them)\s+(?:over\s+)?(?:in)?to\s)",
    re.IGNORECASE)


def question_in(text: str) -> str | None:
    """The question of a line; empty when it asks for a description, None when it asks for motion."""
    if asked := _TELL.match(text):
        question = text[asked.end():]
        about = re.match(r"(?:when|what|which|who|how|if|whether)\b", question, re.IGNORECASE) and "happen" not in question
        return question[0].upper() + question[1:] if about else ""
    return text if _QUESTION.search(text) and not _POLITE.match(text) else None


def without_politeness(text: str) -> str:
    """What to perform: "Can you smile?" is "smile"."""
    polite = _POLITE.match(text)
    return text[polite.end():].rstrip(" ?") if polite else text


def transition_in(text: str, clip: bool = False) -> Instruction | None:
    """The transition that a line asks for; None when it asks for an ordinary performance.

    Args:
        text: the line.
        clip: whether there is a clip at hand, to which "change it to sad" may refer.

    Raises:
        ValueError: it goes from one expression to another, and one of the two is unknown.
    """
    if any(n in ACTION for n in actions_in_text(text)):
        return None  # "She turns her head from left to right, then looks sad"
    half_known = _half_known(text)
    try:
        asked = parse(text)
    except ValueError:
        if half_known:
            raise
        return None
    if _FROM_TO.search(text):
        return asked if asked.is_change or half_known else None
    found = (_THIS_FACE if not clip else _CHANGE_IT).search(text)
    return asked if found and find_emotions(text[found.end():]) else None


def _half_known(text: str) -> bool:
    """Whether one side of "from X to Y" is an expression: the refusal of the other side is then the answer."""
    match = _FROM_TO.search(text)
    if match is None:
        return False
    following = _CLAUSE.split(text[match.end():])[0].split()[:2]
    return bool(find_emotions(match[1]) or find_emotions(" ".join(following)))
