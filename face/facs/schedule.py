"""A schedule: the actions and emotions of a clip with all their times.

It is the ground truth of the synthetic corpus: the procedural animator turns it into
motion, the caption writer into words, and the evaluation compares both with what is measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from .vocabulary import ACTION, EMOTION_ACTIONS, EMOTIONS, Side, allowed_with

MAX_SECONDS = 600.0
LEVELS: dict[str, float] = {"slight": 0.45, "medium": 0.7, "strong": 1.0}


def level_of(intensity: float) -> str:
    """The nearest of the three strengths that words can name."""
    return min(LEVELS, key=lambda k: abs(LEVELS[k] - intensity))


@dataclass(frozen=True)
class Event:
    """One commanded action or emotion.

    Times in seconds from the clip's start: the motion begins at ``start``, reaches its apex
    ``rise`` later, stays for ``hold`` and is back at rest ``fall`` later. An event with
    ``fall == 0`` stays until the end of the clip. What is done several times carries ``cycles``:
    oscillations (nod, shake, talking) and repetitions of any other action, each of which
    takes ``rise`` and ``fall``; the whole duration of all of them is rise + hold + fall.
    """

    name: str
    start: float
    rise: float
    hold: float
    fall: float
    intensity: float = 0.7
    cycles: int = 0
    side: Side = "both"
    """The subject's own side, of an action that each side of the face can do alone."""
    cue: int = -1
    """Index of the cue of the script that it performs, -1 for none."""

    def __post_init__(self) -> None:
        if self.name not in ACTION and self.name not in EMOTIONS:
            raise ValueError(f"unknown action or emotion {self.name!r}; known: {', '.join([*ACTION, *EMOTIONS])}")
        for key in ("start", "rise", "hold", "fall"):
            value = getattr(self, key)
            if not 0.0 <= value <= MAX_SECONDS:
                raise ValueError(f"event {self.name}: {key} is {value}; allowed: 0 to {MAX_SECONDS:g} s")
        if not 0.0 < self.intensity <= 1.0:
            raise ValueError(f"event {self.name}: intensity is {self.intensity}; allowed: above 0, up to 1")
        if self.cycles < 0:
            raise ValueError(f"event {self.name}: cycles is {self.cycles}; allowed: 0 or more")
        if self.side not in ("both", "left", "right"):
            raise ValueError(f"event {self.name}: side is {self.side!r}; allowed: both, left, right")
        if self.side != "both" and not (self.name in ACTION and ACTION[self.name].paired):
            raise ValueError(f"event {self.name} has no sides, but side is {self.side!r}; sided: "
                             + ", ".join(n for n, a in ACTION.items() if a.paired))
        if self.cue < -1:
            raise ValueError(f"event {self.name}: cue is {self.cue}; allowed: -1 or an index")

    @property
    def is_emotion(self) -> bool:
        """Whether it is an emotion rather than a single action."""
        return self.name in EMOTIONS

    @property
    def apex(self) -> float:
        """When it is first fully there, s."""
        return self.start + self.rise

    @property
    def stays(self) -> bool:
        """Whether it lasts until the end of the clip."""
        return self.fall == 0.0

    def end(self, seconds: float) -> float:
        """When the event is over (the clip's end for one that stays)."""
        return seconds if self.stays else min(seconds, self.start + self.rise + self.hold + self.fall)


@dataclass(frozen=True)
class Style:
    """How an individual moves; small and constant over a clip."""

    tempo: float = 1.0
    """Multiplies onset and offset speed, 0.8 to 1.25."""
    asymmetry: float = 0.0
    """-0.15 (right side weaker) to 0.15 (left side weaker)."""
    expressiveness: float = 1.0
    """Multiplies amplitudes, 0.9 to 1.1."""


@dataclass(frozen=True)
class Schedule:
    """A timed list of events for one subject. ``events`` are in order of their start."""

    seconds: float
    events: tuple[Event, ...]
    subject: str = "person"
    """woman | man | person: only the words change with it."""
    style: Style = field(default_factory=Style)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.2 <= self.seconds <= MAX_SECONDS:
            raise ValueError(f"script: seconds is {self.seconds}; allowed: 0.2 to {MAX_SECONDS:g}")
        if self.subject not in ("woman", "man", "person"):
            raise ValueError(f"script: subject is {self.subject!r}; allowed: woman, man, person")
        starts = [e.start for e in self.events]
        if starts != sorted(starts):
            raise ValueError("script: events must be in order of their start")
        for e in self.events:
            if e.start >= self.seconds:
                raise ValueError(f"script: {e.name} starts at {e.start:g} s, after the end ({self.seconds:g} s)")

    def of_cue(self, index: int) -> list[Event]:
        """The events that perform one cue of its script."""
        return [e for e in self.events if e.cue == index]

    def expected_actions(self) -> tuple[str, ...]:
        """Actions that a clip of this script must show, in order of their first start, once each."""
        out: list[str] = []
        for e in self.events:
            for name in EMOTION_ACTIONS[e.name] if e.is_emotion else (e.name,):
                if name not in out:
                    out.append(name)
        return tuple(out)

    def allowed_actions(self) -> frozenset[str]:
        """Actions that may show without being an invention (side effects included)."""
        return frozenset().union(*(allowed_with(e.name) for e in self.events)) if self.events else frozenset()

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it."""
        raw = asdict(self)
        for event in raw["events"]:  # what schedules did not have from the start is left out where it says nothing
            for key, nothing in (("side", "both"), ("cue", -1)):
                if event[key] == nothing:
                    del event[key]
        return json.dumps(raw, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """Parse :meth:`to_json`'s text.

        Raises:
            ValueError: not JSON, unknown or missing keys, or values out of range.
        """
        try:
            raw = json.loads(text)
            return cls(
                seconds=float(raw["seconds"]),
                events=tuple(Event(**e) for e in raw["events"]),
                subject=str(raw["subject"]),
                style=Style(**raw["style"]),
                seed=int(raw["seed"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as err:
            raise ValueError(f"not a performance script: {err}; see facelm.face.facs.schedule.Schedule") from err
