"""What was measured in a clip: facial actions with their times, strengths and sides, and an emotion over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .emotions import EmotionEstimate
from .timeline import Level
from .vocabulary import ACTION, ACTIONS, Side

_BRIEF = 0.4
"""Of a longer action so much, s, and of a shorter one half, lies in a part of a clip that shows it."""


@dataclass(frozen=True)
class MeasuredAction:
    """One occurrence of an action. Times in seconds."""

    name: str
    onset: float
    """When the motion begins."""
    apex: float
    """When it is first fully there."""
    offset: float
    """When it is over, or the clip's end."""
    intensity: float
    """Share of full scale at the strongest moment, 0 to 1."""
    value: float
    """Physical value at the strongest moment, in ``unit``; Hz for oscillations."""
    unit: str
    cycles: int | None = None
    side: Side = "both"
    """Which side of the face does it, of a paired action; the subject's own."""
    levels: tuple[Level, ...] = ()
    """Where its intensity stays, when that is at several levels."""
    sides: tuple[float, float] | None = None
    """Intensity of the left and of the right side, of a paired action."""
    confidence: float = 1.0
    """How sure it is that a viewer would see it, 0 to 1; less than 1 in filmed clips only."""

    @property
    def beside(self) -> str:
        """The side that it is on alone, where its name does not say so already; else empty."""
        return "" if self.side == "both" or self.name.endswith(f"_{self.side}") else self.side


@dataclass(frozen=True)
class Named:
    """An emotion, feeling or behaviour that is known to be performed, and whose parts are measured. Times in seconds."""

    name: str
    onset: float
    offset: float
    intensity: float
    count: int = 1
    side: Side = "both"
    parts: frozenset[str] = frozenset()
    """The actions and emotions that it is made of."""

    def covers(self, name: str, onset: float, offset: float) -> bool:
        """Whether what was measured under a name is a part of it."""
        shared = min(offset, self.offset) - max(onset, self.onset)
        return name in self.parts and shared > 0.5 * min(offset - onset, self.offset - self.onset)


@dataclass(frozen=True)
class Measurement:
    """What a clip shows: actions in order of their onset, and the emotion over time."""

    actions: tuple[MeasuredAction, ...]
    emotion: EmotionEstimate
    fps: float
    seconds: float
    minor: tuple[MeasuredAction, ...] = ()
    """Minor actions (``vocabulary.Action.minor``) that are no part of the others, and a syllable or two of talking."""
    unsure: tuple[MeasuredAction, ...] = ()
    """What a filmed clip may show, with a confidence below one half: no fact."""
    notes: tuple[str, ...] = ()
    """What limits the measurement, in words."""
    named: tuple[Named, ...] | None = None
    """Of a clip with a known script: its emotions, feelings and behaviours, as far as they are there; else None."""

    @property
    def everything(self) -> tuple[MeasuredAction, ...]:
        """Actions and minor actions in order of their onset."""
        return tuple(sorted(self.actions + self.minor, key=lambda a: a.onset))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measured actions in order of their first onset, once each."""
        return tuple(dict.fromkeys(a.name for a in self.actions))

    def of(self, name: str) -> tuple[MeasuredAction, ...]:
        """Every occurrence of one action.

        Raises:
            ValueError: no such action.
        """
        if name not in ACTION:
            raise ValueError(f"unknown action {name!r}; known: {', '.join(ACTIONS)}")
        return tuple(a for a in (self.minor if ACTION[name].minor else self.actions) if a.name == name)

    def between(self, start: float, end: float) -> Measurement:
        """What happens in some seconds of the clip, with times from their start; what goes on beyond them is cut there."""
        def cut(rows: tuple[MeasuredAction, ...]) -> tuple[MeasuredAction, ...]:
            inside = [a for a in rows if min(a.offset, end) - max(a.onset, start) > 0.5 * min(a.offset - a.onset, _BRIEF)]
            return tuple(replace(a, onset=max(a.onset - start, 0.0), apex=float(min(max(a.apex, start), end) - start),
                                 offset=min(a.offset, end) - start) for a in inside)

        named = None if self.named is None else tuple(
            replace(n, onset=max(n.onset - start, 0.0), offset=min(n.offset, end) - start) for n in self.named
            if min(n.offset, end) - max(n.onset, start) > 0.5 * min(n.offset - n.onset, _BRIEF))
        return replace(self, actions=cut(self.actions), minor=cut(self.minor), unsure=cut(self.unsure), named=named,
                       emotion=self.emotion.between(start, end), seconds=end - start)

    @classmethod
    def joined(cls, parts: Sequence[tuple[float, Measurement]], seconds: float) -> Measurement:
        """What several shots of a film show, on the film's clock.

        Args:
            parts: when each shot begins in the film, s, and what was measured in it; at least one.
            seconds: how long the film is.
        """
        if len(parts) == 1 and parts[0][0] == 0.0 and parts[0][1].seconds == seconds:
            return parts[0][1]

        def of(name: str) -> tuple[MeasuredAction, ...]:
            return tuple(replace(a, onset=start + a.onset, apex=start + a.apex, offset=start + a.offset)
                         for start, m in parts for a in getattr(m, name))

        timeline = [replace(s, start=start + s.start, end=start + s.end) for start, m in parts for s in m.emotion.timeline]
        notes = dict.fromkeys((f"from {start:.1f} s: " if len(parts) > 1 else "") + n for start, m in parts for n in m.notes)
        return cls(of("actions"), EmotionEstimate.over(timeline, seconds), parts[0][1].fps, seconds, of("minor"), of("unsure"),
                   tuple(notes))

    def to_dict(self, clip: str) -> dict[str, object]:
        """The object that ``facelm measure --json`` prints for the clip called ``clip``."""
        timeline = [
            {"name": e.name, "start": round(e.start, 3), "end": round(e.end, 3), "confidence": round(e.confidence, 3)}
            | ({"strength": round(e.strength, 3)} if e.name != "neutral" else {})
            for e in self.emotion.timeline
        ]
        return {
            "clip": clip,
            "fps": self.fps,
            "seconds": round(self.seconds, 3),
            "actions": [_row(a) for a in self.actions],
            "minor": [_row(a) for a in self.minor],
            "unsure": [_row(a) for a in self.unsure],
            "notes": list(self.notes),
            "emotion": {"dominant": self.emotion.dominant, "timeline": timeline},
        }


def _row(a: MeasuredAction) -> dict[str, object]:
    row: dict[str, object] = {"name": a.name}
    row |= {key: round(getattr(a, key), 3) for key in ("onset", "apex", "offset", "intensity")}
    row |= {"value": round(a.value, 2), "unit": a.unit}
    row |= {"cycles": a.cycles} if a.cycles is not None else {}
    row |= {"confidence": round(a.confidence, 3)} if a.confidence < 1.0 else {}
    return row | ({"side": a.side} if a.side != "both" else {})
