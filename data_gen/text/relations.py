"""How the events of a script relate in time, for words.

The vocabulary of relations is that of speech: an event comes first, together with the one
before it, during it, straight out of it (one expression turning into another) or after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...face.facs.script import Event, Script
from ...face.facs.vocabulary import ACTION

TOGETHER = 0.2
"""Seconds; events that start closer than this are said to happen at the same time."""


@dataclass(frozen=True)
class Group:
    """Events that start together, and their relation to what comes before."""

    events: tuple[Event, ...]
    relation: str
    """first | then | during (the previous group is still held) | into (one emotion turns into another)"""


def released(event: Event, seconds: float) -> float:
    """When an event begins to go back to rest (the clip's end for one that stays)."""
    return seconds if event.stays else event.start + event.rise + event.hold


def groups(script: Script) -> tuple[Group, ...]:
    """The script's events in groups of simultaneous starts, in order of time."""
    clusters: list[list[Event]] = []
    for e in script.events:
        if clusters and e.start - clusters[-1][0].start <= TOGETHER:
            clusters[-1].append(e)
        else:
            clusters.append([e])
    out: list[Group] = []
    for i, cluster in enumerate(clusters):
        relation = "then" if i else "first"
        if i:
            before, start = clusters[i - 1], cluster[0].start
            release = max(released(e, script.seconds) for e in before)
            if start < release - 0.01:
                relation = "during"
            elif len(before) == len(cluster) == 1 and before[0].is_emotion and cluster[0].is_emotion \
                    and start < before[0].end(script.seconds) - 0.01:
                relation = "into"
        out.append(Group(tuple(cluster), relation))
    return tuple(out)


_REGION_ORDER = ("mouth", "jaw", "brows", "lids", "head", "gaze")


def canonical_order(group: Group) -> list[Event]:
    """Simultaneous events in a fixed order (emotions, mouth, jaw, brows, lids, head, gaze).

    Motion does not show which of them was written first, so a uniform text must not either.
    """
    return sorted(group.events, key=lambda e: (not e.is_emotion, _REGION_ORDER.index(ACTION[e.name].region)
                                               if e.name in ACTION else 0, e.name))


def rests_at_end(script: Script) -> bool:
    """Whether the face is back at rest for at least a quarter of a second when the clip ends."""
    return bool(script.events) and max(e.end(script.seconds) for e in script.events) <= script.seconds - 0.25
