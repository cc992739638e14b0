"""The line format of scripts, as people type and read it.

One cue a line, or several with ``;`` between them; ``#`` begins a comment::

    8 s                              # length of the clip, when it matters
    smile strong                     # action, emotion, feeling or behaviour, and how strong
    nod x2 fast                      # then, twice, quickly
    with turn left 30% for 2 s       # together with the nods; a share of full scale; a duration
    into sadness slight              # takes over from what comes before
    brow_raise right at 5 s          # one side, at a time
    pause 1 s laugh until 8 s        # after a rest
    never blink                      # also: never head, never mouth ...
    still                            # no idle motion
    unknown moonwalk                 # words that no face is known to do
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from ...common.config import explain
from .script import SPEEDS, STRENGTHS, Cue, Never, Script, near
from .vocabulary import DIRECTIONS, GROUPS, NAMES

_TIMES = {"at": "start", "until": "end", "pause": "pause", "for": "seconds", "onset": "onset", "hold": "hold", "offset": "offset"}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|sec|secs|seconds?|min|minutes?)?$")
_JOINS = {"with": "with", "+": "with", "into": "into", ">": "into", "then": "then", ",": "then"}


def _seconds(word: str, unit: str, where: str) -> tuple[float, int]:
    """A time and how many words it took."""
    match = _SECONDS.match(word)
    if not match:
        raise ValueError(f"{where}: {word!r} is no time; write e.g. 2 s or 1.5 s")
    value, own = float(match[1]), match[2]
    taken = 1
    if own is None and re.fullmatch(r"ms|s|secs?|seconds?|min|minutes?", unit):
        own, taken = unit, 2
    return round(value * {"ms": 0.001, "min": 60.0, "minute": 60.0, "minutes": 60.0}.get(own or "s", 1.0), 3), taken


def _name(words: list[str], where: str) -> tuple[str, int]:
    """The longest known name at the beginning of ``words``, whose parts may be apart, and how many words it took."""
    for k in range(min(4, len(words)), 0, -1):
        name = "_".join(words[:k])
        if name in NAMES or name in GROUPS:
            return name, k
        stem, _, side = name.rpartition("_")
        if stem in DIRECTIONS and side in ("left", "right") and k == 1:  # turn_left, as measurements call it
            words[1:1] = [side]
            return stem, 1
    raise ValueError(f"{where}: {words[0] if words else ''!r} is nothing that a face is known to do; near it: "
                     f"{near('_'.join(words[:1]))}")


def _cue(words: list[str], join: str, pause: float | None, where: str) -> Cue:
    name, at = _name(words, where)
    said: dict[str, Any] = {"name": name, "join": join}
    if pause is not None:
        said["pause"] = pause
    while at < len(words):
        word, after = words[at], words[at + 1:]
        at += 1
        if word in ("left", "right", "both"):
            said["side"] = word
        elif word in STRENGTHS:
            said["strength"] = STRENGTHS[word]
        elif re.fullmatch(r"\d+(\.\d+)?%", word):
            said["strength"] = round(float(word[:-1]) / 100, 4)
        elif match := re.fullmatch(r"x(\d+(?:\.\d+)?)", word):
            if "." in match[1]:
                raise ValueError(f"{where}: {word!r} is no count; write e.g. x3")
            said["count"] = int(match[1])
        elif word in SPEEDS:
            said["speed"] = SPEEDS[word]
        elif match := re.fullmatch(r"speed(?:=)?(\d+(?:\.\d+)?)?", word):
            value = match[1]
            if value is None and after:
                value, at = after[0], at + 1
            if value is None or not re.fullmatch(r"\d+(\.\d+)?", value):
                raise ValueError(f"{where}: speed needs a number, e.g. speed 1.5")
            said["speed"] = float(value)
        elif word == "held":
            said["held"] = True
        elif word in _TIMES:
            if not after:
                raise ValueError(f"{where}: {word!r} needs a time after it, e.g. {word} 2 s")
            said[_TIMES[word]], taken = _seconds(after[0], after[1] if len(after) > 1 else "", where)
            at += taken
        else:
            raise ValueError(f"{where}: {word!r} is not understood; allowed after a name: left, right, {', '.join(STRENGTHS)}, "
                             f"40%, x3, {', '.join(SPEEDS)}, {', '.join(f'{t} 2 s' for t in _TIMES)}, held")
    try:
        return Script.from_dict({"cues": [said]}).cues[0]
    except ValueError as err:
        raise ValueError(f"{where}: {str(err).removeprefix('script.cues.0').lstrip('.: ')}") from None


def read_script(text: str) -> Script:
    """Read the line format.

    Raises:
        ValueError: one line that names the line, what is not understood and what is allowed.
    """
    cues: list[Cue] = []
    never: list[Never] = []
    unknown: list[str] = []
    seconds: float | None = None
    still = False
    for number, line in enumerate(text.splitlines() or [""], 1):
        for item in line.partition("#")[0].split(";"):
            where = f"line {number}"
            words = item.replace(",", " ").lower().split()
            if not words:
                continue
            if match := re.fullmatch(r"(?:length\s+)?([\d.]+\s*(?:ms|s|secs?|seconds?|min|minutes?))\s*:?", " ".join(words)):
                parts = match[1].split()
                seconds, _ = _seconds(parts[0], parts[1] if len(parts) > 1 else "", where)
            elif words == ["still"]:
                still = True
            elif words[0] == "unknown":
                unknown.append(" ".join(item.split()[1:]))
            elif words[0] == "never":
                name, taken = _name(words[1:], where)
                rest = words[1 + taken:]
                if rest not in ([], ["left"], ["right"], ["both"]):
                    raise ValueError(f"{where}: {' '.join(rest)!r} is not understood after never {name}; allowed: left, right")
                never.append(Never(name, rest[0] if rest else "both"))  # type: ignore[arg-type]
            else:
                join = "then"
                if words[0] in _JOINS:
                    join = _JOINS[words.pop(0)]
                pause = None
                if words[:1] == ["pause"]:
                    pause, taken = _seconds(words[1] if len(words) > 1 else "", words[2] if len(words) > 2 else "", where)
                    words = words[1 + taken:]
                if not words:
                    raise ValueError(f"{where}: {item.strip()!r} needs something to do after it, e.g. pause 1 s nod")
                cues.append(_cue(words, join, pause, where))
    try:
        return Script(tuple(cues), seconds, tuple(never), still, tuple(unknown))
    except ValidationError as err:
        raise ValueError(explain(err, Script, "script")) from None


def _number(value: float) -> str:
    return f"{round(value, 3):g}"


def write_cue(cue: Cue, first: bool = False) -> str:
    """One cue in the line format."""
    parts: list[str] = [] if cue.join == "then" or first else [cue.join]
    if cue.pause is not None:
        parts.append(f"pause {_number(cue.pause)} s")
    parts.append(cue.name)
    if cue.side != "both":
        parts.append(cue.side)
    if cue.strength is not None:
        parts.append(next((w for w, v in STRENGTHS.items() if v == cue.strength), f"{_number(100 * cue.strength)}%"))
    if cue.count is not None:
        parts.append(f"x{cue.count}")
    if cue.speed is not None:
        parts.append(next((w for w, v in SPEEDS.items() if v == cue.speed), f"speed {_number(cue.speed)}"))
    parts += [f"{word} {_number(getattr(cue, field))} s" for word, field in _TIMES.items()
              if word != "pause" and getattr(cue, field) is not None]
    return " ".join([*parts, "held"] if cue.held else parts)


def write_script(script: Script, line: str = "; ") -> str:
    """The line format of a script; :func:`read_script` reads it back.

    Args:
        line: what stands between two items: ``"; "``, or a line break.
    """
    items = [] if script.seconds is None else [f"{_number(script.seconds)} s"]
    items += [write_cue(c, i == 0) for i, c in enumerate(script.cues)]
    items += [f"never {n.name}" + (f" {n.side}" if n.side != "both" else "") for n in script.never]
    items += ["still"] * script.still + [f"unknown {w}" for w in script.unknown]
    return line.join(items)
