"""What a text says as a whole of what was read in its parts: gaps between repetitions, likenesses, one eye that stays shut."""

from __future__ import annotations

import re
from dataclasses import replace

from ...face.facs.script import Cue, Script

_GAPS = re.compile(r"\b(?:in between|in-between|between (?:them|each|the two|both|each one)|apart)\b")
_MOST = 6
"""Repetitions that are written out one by one."""
_LIKENED = re.compile(r"\b(?:as|like)\b[^,.;]*\bkiss|\bkissy\b")
_OPENED = re.compile(r"\bopen(?:s|ing)? (?:up )?(?:only |just )?(?:the |his |her )?(?P<side>left|right)(?: one| eye)?\b")
_OF_THE_HEAD = re.compile(r"\b(?:heads?|turn\w*|fac(?:e|es|ing)|chin)\b")
_GAZES = frozenset(("gaze", "gaze_up", "gaze_down"))


def as_a_whole(script: Script, plain: str) -> Script:
    """A script with what its text says of it as a whole.

    Args:
        script: what was read in the parts of the text.
        plain: the text, in lower case.
    """
    cues = list(script.cues)
    if _LIKENED.search(plain):
        cues = _without_likeness(cues)
    if m := _OPENED.search(plain):
        cues = _one_opened(cues, m["side"])
    if not _OF_THE_HEAD.search(plain):
        cues = [replace(c, name="gaze") if c.name == "turn" and any(b.name in _GAZES for b in cues[:k]) else c
                for k, c in enumerate(cues)]
    if _GAPS.search(plain):
        cues = [one for cue in cues for one in _spaced(cue)]
    return script if tuple(cues) == script.cues else replace(script, cues=tuple(cues))


def _without_likeness(cues: list[Cue]) -> list[Cue]:
    """Lips that are pursed as for a kiss kiss nobody."""
    out: list[Cue] = []
    for cue in cues:
        if cue.name == "kiss" and out and out[-1].name == "lip_pucker":
            out[-1] = replace(out[-1], seconds=out[-1].seconds if cue.seconds is None else cue.seconds)
        else:
            out.append(cue)
    return out


def _one_opened(cues: list[Cue], side: str) -> list[Cue]:
    """Of two shut eyes that one of which is opened, the other one stays shut."""
    out = list(cues)
    for k in range(1, len(cues)):
        shut, then = cues[k - 1], cues[k]
        if shut.name == "eye_close" and shut.side == "both" and then.name in ("eye_close", "eye_widen") and then.side == side:
            out[k] = replace(shut, side="right" if side == "left" else "left", join="into", start=then.start)
    return out


def _spaced(cue: Cue) -> list[Cue]:
    """A cue for each repetition, where there is a rest between them."""
    if cue.pause is None or not cue.count or not 2 <= cue.count <= _MOST or cue.join == "into":
        return [cue]
    one = replace(cue, count=1 if cue.name in ("nod", "shake") else None)
    return [replace(one, pause=None)] + [replace(one, join="then", start=None, end=None)] * (cue.count - 1)
