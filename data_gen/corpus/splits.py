"""Which split a clip belongs to: decided by what happens in it or by its source, so that nothing leaks.

Scripts with the same events (names, strengths, counts, relations in time and whole seconds of
length) always fall into the same split. A set of pairs of names is reserved for the test
split: no training clip ever combines them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import combinations

from ...face.facs.schedule import Schedule, level_of
from ...face.facs.vocabulary import ACTIONS, EMOTIONS
from ..text.captions import SPLITS
from ..text.phrasing import groups

_NAMES = ACTIONS + EMOTIONS[1:]
_PAIR_SHARE = 18
"""Of 1000 pairs, how many are reserved."""
_TEST, _VAL = 26, 50
"""Of 1000 structures without a reserved pair, how many go to test and to val."""
EVERYDAY: frozenset[frozenset[str]] = frozenset(
    frozenset(p) for p in (("smile", "nod"), ("smile", "shake"), ("smile", "blink"), ("brow_raise", "smile"),
                           ("happiness", "nod"), ("anger", "happiness"), ("happiness", "sadness"),
                           ("turn_left", "turn_right"), ("tilt_left", "tilt_right"), ("gaze_left", "gaze_right"),
                           ("gaze_up", "gaze_down"), ("look_up", "look_down")))
"""Pairs that everybody will ask for first; never held out."""


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 1000


@cache
def reserved_pairs() -> frozenset[frozenset[str]]:
    """Unordered pairs of names that occur together only in the test split."""
    return frozenset(frozenset(p) for p in combinations(sorted(_NAMES), 2)
                     if _draw("pair " + " ".join(p)) < _PAIR_SHARE and frozenset(p) not in EVERYDAY)


def has_reserved_pair(script: Schedule) -> bool:
    """Whether a script combines a pair that is reserved for the test split."""
    names = sorted({e.name for e in script.events})
    return any(frozenset(p) in reserved_pairs() for p in combinations(names, 2))


def structure(script: Schedule) -> str:
    """What happens, as text: scripts that differ only in fine timing and style have the same."""
    words = [f"{script.seconds:.0f}s"]
    for g in groups(script):
        events = sorted(f"{e.name}:{level_of(e.intensity)}:{e.cycles}{':stays' if e.stays else ''}" for e in g.events)
        words.append(f"{g.relation}({' '.join(events)})")
    return " ".join(words)


def split_of(script: Schedule) -> str:
    """Train | val | test of a script."""
    if has_reserved_pair(script):
        return "test"
    at = _draw("structure " + structure(script))
    return "test" if at < _TEST else "val" if at < _TEST + _VAL else "train"


def split_of_source(group: str, val: float, test: float) -> str:
    """Train | val | test of a video or prompt: by a hash of ``group``, with these shares."""
    at = int.from_bytes(hashlib.sha256(f"source {group}".encode()).digest()[:6], "big") / 2**48
    return "test" if at < test else "val" if at < test + val else "train"


__all__ = ["EVERYDAY", "SPLITS", "has_reserved_pair", "reserved_pairs", "split_of",
           "split_of_source", "structure"]
