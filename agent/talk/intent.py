"""Whether a line of a conversation asks for a transition."""

from __future__ import annotations

import re

from ...data_gen.text.parser import actions_in_text
from ...data_gen.text.transition_text import Instruction, find_emotions, parse
from ...face.facs.vocabulary import ACTION

_FROM_TO = re.compile(r"\bfrom\s+([^.;]{2,60}?)\s+(?:in)?to\s", re.IGNORECASE)
_CLAUSE = re.compile(r"[,.;!?]")
_AGAIN = r"^(?:(?:and|then|now|next|please|ok|okay),?\s+)*"
_VERB = r"(?:change|turn|make|transform|morph|shift|fade|bring|convert|take|modify)\s+"
_THIS_FACE = re.compile(_AGAIN + _VERB + r"this (?:face|expression)\b", re.IGNORECASE)
_CHANGE_IT = re.compile(
    _AGAIN + _VERB + r"(?:(?:it|(?:this|the|her|his|their) (?:face|expression))\b|(?:her|him|them)\s+(?:over\s+)?(?:in)?to\s)",
    re.IGNORECASE)


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
