"""A script: what a face is asked to do, between words and motion.

A script says what was asked and no more: a cue without a start begins when what comes before it is over, a
cue without a strength has the usual one. ``data_gen.performer.layout`` gives every cue its times (a :class:`Schedule`),
``check.py`` compares a script with a measurement, and ``script_text.py`` holds the line format that people type.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, parse
from .vocabulary import ACTION, DIRECTIONS, EMOTIONS, FEELING, GROUPS, NAMES, PAIRED, Side

Join = Literal["then", "with", "into"]
MAX_SECONDS = 600.0
MAX_CUES = 200
STRENGTHS: dict[str, float] = {"faint": 0.3, "slight": 0.45, "medium": 0.7, "strong": 1.0}
"""The strengths that have a name; any share of full scale is allowed."""
SPEEDS: dict[str, float] = {"slow": 0.6, "fast": 1.6}
BRIEF, LONG = 0.6, 3.0
"""Seconds of "briefly" and of "for a long time"."""
SLOTS: dict[str, int] = {"t": 12, "p": 6, "c": 8}
"""Marks of each kind that a text can have: a time, a share of full scale, a count."""
MARKS: tuple[str, ...] = tuple(f"{kind}{i}" for kind, count in SLOTS.items() for i in range(count))
"""Every mark (``t0``, ``p1``), in the order of their code points."""
FIRST_MARK = 0xE000
"""Code point (private use area) of the first mark; in a text, marks stand for its quantities."""


def mark(kind: str, index: int) -> str:
    """The character that stands for a quantity in a text."""
    return chr(FIRST_MARK + MARKS.index(f"{kind}{index}"))


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"{name!r} is nothing that a face is known to do; allowed: {near(name)}")
    return name


def near(name: str) -> str:
    """The known names nearest to one, or a few of all."""
    from difflib import get_close_matches

    return ", ".join(get_close_matches(name, NAMES, 5, 0.5) or [*NAMES[:5], "... (see `facelm actions`)"])


Name = Annotated[str, AfterValidator(_known)]
_Time = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
_Length = Annotated[float, Field(gt=0, le=MAX_SECONDS)]


def sided(name: str, side: Side) -> str:
    """The action that a name and a side stand for: ``turn`` and ``left`` are ``turn_left``, others keep their name."""
    return f"{name}_{side}" if name in DIRECTIONS else name


@dataclass(frozen=True, config=SETTINGS)
class Cue:
    """One thing to do: an action, emotion, feeling or behaviour. What is None was not said."""

    name: Name
    """One of ``vocabulary.NAMES``; directions are a side of their own (``turn`` with ``left``)."""
    side: Side = "both"
    """The subject's own side."""
    join: Join = "then"
    """After what comes before, together with it, or taking over from it."""
    strength: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of full scale."""
    count: Annotated[int, Field(ge=1, le=100)] | None = None
    """How often."""
    speed: Annotated[float, Field(ge=0.2, le=4)] | None = None
    """How fast, 1 being usual."""
    start: _Time | None = None
    """Seconds from the clip's beginning."""
    end: _Length | None = None
    """Seconds from the clip's beginning at which it is over."""
    pause: _Length | None = None
    """Seconds of rest before it."""
    seconds: _Length | None = None
    """Duration from first to last movement."""
    onset: _Length | None = None
    """Duration of the onset (FACS: from rest to apex), s."""
    hold: _Length | None = None
    """Duration at the apex, s."""
    offset: _Length | None = None
    """Duration of the offset (from apex to rest), s."""
    held: bool = False
    """It stays until the clip ends."""

    def __post_init__(self) -> None:
        if self.name in DIRECTIONS and self.side == "both":
            raise ValueError(f"{self.name} needs a side; allowed: left, right")
        if self.side != "both" and self.name not in PAIRED and self.name not in DIRECTIONS:
            raise ValueError(f"{self.name} has no sides; allowed with left or right: {', '.join(sorted(PAIRED | DIRECTIONS))}")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"{self.name} ends at {self.end:g} s and starts at {self.start:g} s; the end should be later")

    @property
    def action(self) -> str:
        """The action's name with its direction, e.g. ``turn_left``."""
        return sided(self.name, self.side)

    @property
    def kind(self) -> str:
        """``action``, ``emotion``, ``feeling`` or ``behaviour``."""
        if self.action in ACTION:
            return "action"
        return "emotion" if self.name in EMOTIONS else "feeling" if self.name in FEELING else "behaviour"


@dataclass(frozen=True, config=SETTINGS)
class Never:
    """What should not happen: an action, emotion, feeling, behaviour, or any movement of a region (``vocabulary.GROUPS``)."""

    name: str
    side: Side = "both"

    def __post_init__(self) -> None:
        if self.name not in GROUPS:
            _known(self.name)


@dataclass(frozen=True, config=SETTINGS)
class Script:
    """Cues in their order, and what holds for the whole clip."""

    cues: Annotated[tuple[Cue, ...], Field(max_length=MAX_CUES)] = ()
    seconds: Annotated[float, Field(ge=0.2, le=MAX_SECONDS)] | None = None
    """Length of the clip; None is as long as the cues need."""
    never: tuple[Never, ...] = ()
    still: bool = False
    """Nothing else moves, not even the blinks and glances of an idle face."""
    unknown: tuple[str, ...] = ()
    """Words for what no face is known to do; left out of the performance."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what was not said."""
        return {k: v for k, v in (("seconds", self.seconds), ("cues", [_said(c) for c in self.cues]),
                                  ("never", [_said(n) for n in self.never]), ("still", self.still),
                                  ("unknown", list(self.unknown))) if v not in (None, [], False) or k == "cues"}

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it, :meth:`schema` describes it."""
        return json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_dict(cls, raw: Any) -> Script:
        """Read :meth:`to_dict`'s values.

        Raises:
            ValueError: one line that names the entry, the value and what is allowed.
        """
        return parse(cls, raw, "script")

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Read :meth:`to_json`'s text.

        Raises:
            ValueError: not JSON, or not a script.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise ValueError(f"not a script in JSON: {err}") from err
        return cls.from_dict(raw)

    @staticmethod
    def schema() -> dict[str, Any]:
        """The JSON schema of :meth:`to_json`."""
        return TypeAdapter(Script).json_schema()


def _said(item: Cue | Never) -> dict[str, Any]:
    """The fields of an item that differ from what they are when nothing is said."""
    return {f.name: getattr(item, f.name) for f in fields(item)
            if f.default is MISSING or getattr(item, f.name) != f.default}
