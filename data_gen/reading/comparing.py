"""Words of comparisons: what is compared, which way round, and whether the comparison is stated or asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...face.facs.evidence.query import By
from ...face.facs.script import mark
from ..text.quantities import Marked

_REGIONS = ((r"\b(?:eye)?brows?\b.*\blower\b|\blower\b.*\b(?:eye)?brows?\b", "brow_lower"),
            (r"\b(?:eye)?brows?\b", "brow_raise"), (r"\beyes?\b.*\bwid|\bwid.*\beyes?\b", "eye_widen"),
            (r"\b(?:mouth|jaw)\b", "mouth_open"), (r"\bcheeks?\b", "cheek_puff"))
"""What more of a part of the face is, where only the part is named."""
_MEASURES: tuple[tuple[By, str], ...] = (
    ("side", r"\bsame (?:eye|side|way|direction)\b|\b(?:different|other) (?:eyes?|sides?|directions?)\b"),
    ("count", r"\b(?:more often|more times|fewer|often(?:er)?|more (?!\w+ly\b)\w+s\b)"),
    ("start", r"\b(?:earlier|sooner|later)\b"),
    ("length", r"\b(?:longer|longest|shorter|shortest|same length|last(?:s|ed)? (?:more|less)|(?:more|less) time)\b"),
    ("speed", r"\b(?:faster|fastest|slower|slowest|quicker|quickest|snappier|brisker|swifter|more speed|speed(?:s|ed)? up"
     r"|slow(?:s|ed)? down|same speed)\b"),
    ("strength", r"\b(?:stronger|strongest|bigger|biggest|larger|wider|broader|weaker|smaller|smallest|weakest|higher|lower"
     r"|deeper|more|less|most|least|happier|sadder|angrier|same strength|vs|versus|compared)\b"))
_COMPARATIVE = re.compile(r"\b(?:more|less|most|least|further|farther|furthest|farthest"
                          r"|(?!(?:over|after|never|ever|other|another|whether|under|her|together|either|per|number|whatever"
                          r"|however|rather|corner|remember|wonder|order|later|clever|answer)\b)[a-z]{3,}(?:er|est))\b")
_EITHER = re.compile(r"\bor\b")
_INSTANT = 0.1
"""Seconds on both sides of a moment that is asked about."""
_DOWNWARDS = ("look_down", "gaze_down", "brow_lower")
"""Of these, lower is more."""


def measured_by(plain: str) -> By | None:
    """By what a question in lower case compares."""
    return next((by for by, words in _MEASURES if re.search(words, plain)), None)


def region_of(plain: str) -> str:
    """The action that more of a part of the face is: "are the brows higher"; empty where no part is named."""
    return next((name for words, name in _REGIONS if re.search(words, plain)), "")


def two_moments(text: str, times: Sequence[float]) -> tuple[tuple[float, float], bool] | None:
    """The two moments that a question compares: "is the smile bigger at 2 s than at 5 s"; and whether that is a claim.

    The first is the one that is said to have more or less of it.

    Args:
        text: a question in lower case with its times marked.
        times: seconds.
    """
    apart = list(dict.fromkeys(times))
    if len(apart) != 2 or len(times) > 3 or not _COMPARATIVE.search(text):
        return None
    ends = text[text.index(mark("t", len(times) - 2)):] if mark("t", len(times) - 2) in text else text
    claim = not _EITHER.search(ends) and not re.search(r"\b(?:which|pick|choose|when|where|(?<!than )what)\b", text)
    if len(times) == 3:  # "compare 2 s with 7 s: is it bigger at 7 s"
        apart = [times[-1], *(t for t in apart if t != times[-1])]
    elif re.match(r"\s*(?:compared (?:with|to)|than)\b", text) or re.search(r"\bthe latter\b", text):
        apart.reverse()
    return (apart[0], apart[1]), claim


def claimed(plain: str, names: Sequence[str] = ()) -> tuple[bool, bool]:
    """Whether a question in lower case states a comparison, rather than asks which; and whether it is after the lesser one.

    Args:
        plain: the question.
        names: what it is about.
    """
    least = bool(re.search(r"\b(?:shorter|shortest|weaker|weakest|smaller|smallest|slower|slowest|less|least|fewer|lower"
                           r"|later|slow(?:s|ed)? down|narrower)\b", plain))
    claim = not re.search(r"\bat \S+(?: s| sec\w*)? or (?:at )?\S+(?: s| sec\w*)?\W*$", plain) and not re.search(
        r"\b(?:which|what|who|how many|how much|of the two)\b"
                          r"|\b(?:1st|first) or (?:the )?(?:2nd|second)\b", plain) and not re.search(
        r"\b(?:stronger|longer|bigger|wider|weaker|shorter|smaller|faster|slower|higher)\b.*,? "
        r"(?:the )?(?:first|1st|\w+) or (?:the )?(?:second|2nd|\w+)\W*$", plain)
    downwards = bool(names) and all(n in _DOWNWARDS for n in names) and re.search(r"\blower\b", plain)
    return claim, least and not downwards


def limited_to(plain: str, marked: Marked) -> tuple[float, float] | None:
    """The seconds that a question is limited to."""
    times = marked.t
    if not times:
        return None
    if len(times) >= 2 and re.search(r"\b(?:between|from)\b", plain):
        return min(times[:2]), max(times[:2])
    if re.search(r"\b(?:first|before|until|till)\b", plain):
        return 0.0, times[0]
    if re.search(r"\b(?:after|past|beyond)\b", plain):
        return times[0], 1e9
    return max(times[0] - _INSTANT, 0.0), times[0] + _INSTANT
