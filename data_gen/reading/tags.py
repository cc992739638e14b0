"""Words at the end of a line that make a question of it."""

from __future__ import annotations

import re

_TAG = re.compile(
    r",? (?:(?:is|are|do|does|did|was|were|has)(?:n['’]?t| not)? (?:it|s?he|they|there|that)|innit|huh|eh|correct"
    r"|yeah|true or (?:false|not)|true|am i (?:right|wrong)|is that (?:right|correct|so|true|how it goes)"
    r"|or(?: not| what| no| nah| am i wrong)?"
    r"|(?P<right>right))\W*$")
"""What makes a question of a statement in lower case: "she nods fast, doesn't she"."""
SURELY_ASKED = re.compile(r"\b(?:(?:is|are|do|does|did|was|were|has)n['’]?t \w+|is that \w+(?: it goes)?"
                           r"|am i (?:right|wrong)|true or (?:false|not))\W*$")
"""What can only end a question."""
_DIRECTING = re.compile(r"(?:\b(?:look|turn|tilt|lean|glanc|gaz|wink|shift|fac|mov|point)\w*|\b(?:the|to|on|her|his|its|their|or"
                        r"|and|left|far|head|eyes?|brow|side|from|slightly|strongly|bit|halfway))$")
"""Before "right" it is a side."""


def untagged(plain: str) -> str:
    """A line in lower case without what makes a question of it; itself where there is no such thing: "he looks right"."""
    m = _TAG.search(plain)
    if m is None or m["right"] and m[0][0] != "," and _DIRECTING.search(plain[:m.start()]):
        return plain
    return plain[:m.start()]


def is_tagged(plain: str) -> bool:
    """Whether a line in lower case ends with words that make a question of it."""
    return plain != untagged(plain)
