"""Words for a clip that has no script: from measured facts back to a script, then to text.

A fitted video comes with nothing but its motion. ``face/facs/measure.py`` measures it; :func:`explain`
finds the short script that would explain the measurement (an emotion explains its prototype's actions,
an action explains what it entails), so that captions, descriptions and questions are worded by the same
code as those of the synthetic corpus. Every sentence is read back (parser.py); one that says more than
was measured is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.emotions import UNCLEAR, EmotionSegment
from ...face.facs.measured import MeasuredAction, Measurement
from ...face.facs.schedule import Event, Schedule, level_of
from ...face.facs.vocabulary import ACTION, allowed_with
from ..tables import read_table
from .captions import caption, describe, draw_register
from .lexicon import COUNTABLE
from .parser import text_facts
from .questions import QA, SIDES, as_facts, questions


@checked(frozen=True, config=SETTINGS)
class _Facts:
    prototype: dict[str, dict[str, float]]
    weight: dict[str, float]
    done_or_not: frozenset[str]
    talking_full: float
    max_events: int
    join_action: float
    join_emotion: float
    chain: float
    alike: float
    least: float
    least_emotion: float
    emotion_seconds: float


_TABLE = read_table(__package__, "words/facts.yaml", _Facts)
PROTOTYPE = _TABLE.prototype
"""Measured intensity of each of an emotion's defining actions when it is shown at full strength."""


@dataclass(frozen=True)
class Texts:
    """The text columns of one clip, as in a row of the corpus."""

    captions: tuple[str, ...]
    registers: tuple[str, ...]
    describe: tuple[str, str]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    kinds: tuple[str, ...]
    script: str
    """The script that explains the clip, as JSON."""

    def columns(self) -> dict[str, Any]:
        """The columns of a corpus row that these texts fill."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Explained:
    """A script, and what was measured but is not in it."""

    script: Schedule
    left_out: tuple[MeasuredAction, ...]
    """Actions of their own that were too many or too weak to say; not those that an event entails."""
    emotions_left_out: tuple[str, ...] = ()
    """Emotions of the timeline that are not events."""


# -- merging ----------------------------------------------------------------------------
def _joined(actions: Sequence[MeasuredAction]) -> list[MeasuredAction]:
    """Occurrences of one action that belong together, as one; counts add up."""
    out: list[MeasuredAction] = []
    for name in dict.fromkeys(a.name for a in actions):
        countable, start = name in COUNTABLE, len(out)
        for a in sorted((a for a in actions if a.name == name), key=lambda a: a.onset):
            a = replace(a, cycles=a.cycles or 1) if countable else a
            if len(out) == start or a.onset - out[-1].offset >= (_TABLE.chain if countable else _TABLE.join_action):
                out.append(a)
                continue
            b = out[-1]
            best = a if a.intensity > 1.1 * b.intensity and not countable else b
            out[-1] = replace(b, offset=max(a.offset, b.offset), apex=best.apex, intensity=max(a.intensity, b.intensity),
                              cycles=None if a.cycles is None or b.cycles is None else a.cycles + b.cycles)
    return sorted(out, key=lambda a: a.onset)


def _inside(a: MeasuredAction, start: float, end: float) -> float:
    """Share of an action's duration that lies within a stretch."""
    length = max(a.offset - a.onset, 1e-3)
    return max(0.0, min(a.offset, end) - max(a.onset, start)) / length


# -- emotions ---------------------------------------------------------------------------
def _smoothed(timeline: Sequence[EmotionSegment]) -> list[EmotionSegment]:
    """The felt segments, joined over short gaps, without short ones."""
    out: list[EmotionSegment] = []
    for seg in (s for s in timeline if s.name not in ("neutral", UNCLEAR)):
        at = max((k for k, s in enumerate(out) if s.name == seg.name), default=None)
        if at is not None and seg.start - out[at].end < _TABLE.join_emotion and all(
                s.end - s.start < _TABLE.emotion_seconds for s in out[at + 1:]):
            out[at] = replace(out[at], end=seg.end, confidence=max(out[at].confidence, seg.confidence))
        else:
            out.append(seg)
    return [s for s in out if s.end - s.start >= _TABLE.emotion_seconds]


def _prototype(seg: EmotionSegment, actions: Sequence[MeasuredAction]) -> dict[str, MeasuredAction]:
    """The strongest measured action for each of the emotion's prototype that goes on during a segment."""
    parts: dict[str, MeasuredAction] = {}
    for a in actions:
        share = (min(a.offset, seg.end) - max(a.onset, seg.start)) / max(seg.end - seg.start, 1e-3)
        if a.name in PROTOTYPE[seg.name] and share >= 0.5:
            parts[a.name] = max(parts.get(a.name, a), a, key=lambda x: x.intensity)
    return parts


def _emotion_events(m: Measurement, actions: Sequence[MeasuredAction], seconds: float) -> list[Event]:
    """Events for the emotion segments whose whole prototype was measured."""
    out: list[Event] = []
    for seg in _smoothed(m.emotion.timeline):
        parts = _prototype(seg, actions)
        if parts.keys() != PROTOTYPE[seg.name].keys():
            continue
        strengths = [parts[n].intensity / full for n, full in PROTOTYPE[seg.name].items()]
        scale = float(np.exp(np.mean(np.log(strengths))))
        if max(strengths) > _TABLE.alike * min(strengths) or scale < _TABLE.least_emotion:
            continue
        # the timeline's threshold is crossed late; an action that starts with the emotion dates it better
        start, apex, end = (float(x) for x in np.median([
            (a.onset if seg.start - a.onset < 0.6 else seg.start, a.apex if seg.start <= a.apex <= seg.end else seg.start,
             a.offset if a.offset - seg.end < 0.6 else seg.end) for a in parts.values()], axis=0))
        apex = max(apex, start)
        if out and out[-1].name == seg.name and start - out[-1].end(seconds) < _TABLE.join_emotion:
            old = out.pop()
            start, apex, end, scale = old.start, old.apex, max(end, old.end(seconds)), max(old.intensity, scale)
        out.append(_event(MeasuredAction(seg.name, start, apex, end, scale, 0.0, ""), m.fps, seconds))
    for i, (first, second) in enumerate(pairwise(out)):
        # one expression turning into the next: the first is let go when the second begins
        then = second.start
        if first.apex <= then < first.end(seconds):
            fall = max(first.end(seconds) - then, 0.04)
            out[i] = replace(first, hold=round(max(then - first.apex, 0.0), 3), fall=round(fall, 3))
    return out


def _event(a: MeasuredAction, fps: float, seconds: float) -> Event:
    """An event with the measured times; one that is still on at the end of the clip stays."""
    start = min(max(a.onset, 0.0), max(seconds - 1.0 / fps, 0.0))
    end = min(max(a.offset, start + 1.0 / fps), seconds)
    top = min(max(a.apex, start), end)
    left, rise = end - top, top - start
    cyclic = a.name in COUNTABLE or a.name in ACTION and ACTION[a.name].cyclic
    hold, fall = left, 0.0
    if end < seconds - 1.5 / fps or cyclic:
        fall = max(min(max(rise, 0.08), 0.5 * left), 0.001)
        hold = max(left - fall, 0.0)
    return Event(a.name, round(start, 3), round(rise, 3), round(hold, 3), round(fall, 3),
                 float(np.clip(round(a.intensity, 3), 0.01, 1.0)), a.cycles or 0)


def _explained_by_emotion(a: MeasuredAction, felt: Sequence[Event], seconds: float) -> bool:
    """Whether emotions that go on at the same time account for an action."""
    if ACTION[a.name].region in ("head", "gaze") or ACTION[a.name].cyclic or a.name in COUNTABLE:
        return False
    # what merely goes with an emotion may be as strong as the emotion, its own actions a third more
    covers = [e for e in felt if a.name in allowed_with(e.name)
              and a.intensity <= 1.35 * PROTOTYPE[e.name].get(a.name, 0.75) * e.intensity + 0.15]
    return sum(_inside(a, e.start - 0.3, e.end(seconds) + 0.3) for e in covers) >= 0.6


def _entailed(a: MeasuredAction, others: Sequence[MeasuredAction]) -> bool:
    """Whether a stronger action at the same time shows this one as a side effect, or hides it."""
    for b in others:
        if b.name in ("blink", "eye_close") and ACTION[a.name].region == "gaze":
            hidden, around = True, 0.1  # where eyes behind closed lids look is not seen
        else:
            hidden, around = b is not a and a.name in ACTION[b.name].entails and a.name not in COUNTABLE and a.intensity < (
                0.8 if b.name == "talking" else b.intensity), 0.2
        if hidden and _inside(a, b.onset - around, b.offset + around) >= 0.6:
            return True
    return False


def _salience(e: Event, seconds: float) -> float:
    length = max(e.end(seconds) - e.start, 0.04)
    if e.is_emotion:
        return 2.0 * e.intensity * min(length, 4.0) ** 0.5
    weight = _TABLE.weight.get(e.name, _TABLE.weight[ACTION[e.name].region])
    strength = 1.0 if e.name in COUNTABLE else e.intensity
    if e.start < 0.1 and e.end(seconds) > seconds - 0.1:
        weight *= 0.6  # what never changes may as well be how this face looks
    return weight * strength * min(max(length, 0.5), 4.0) ** 0.5 * (1.0 + 0.1 * max(e.cycles - 1, 0))


def explain(m: Measurement, seconds: float, *, subject: str = "person") -> Explained:
    """The short script that explains a measured clip, and what it leaves out.

    Emotion segments whose whole prototype was measured become emotion events; actions that an
    emotion or a stronger action explains are left out; blinks, nods and the like in a row are
    one event with a count; the most salient events are kept, in order of time.

    Args:
        m: what was measured.
        seconds: length of the clip.
        subject: woman | man | person; only the words change with it.

    Raises:
        ValueError: the clip is shorter than 0.2 s or longer than 60 s.
    """
    actions = _joined([a for a in m.actions if a.onset < seconds])
    felt = _emotion_events(m, actions, seconds)
    own = [a for a in actions if not _explained_by_emotion(a, felt, seconds)]
    own = [a for a in own if not _entailed(a, own)]
    found: list[tuple[Event, MeasuredAction | None]] = [(e, None) for e in felt]
    for a in own:
        if a.intensity >= _TABLE.least or a.cycles:
            strength = a.intensity / _TABLE.talking_full if a.name == "talking" else a.intensity
            strength = 1.0 if a.name in _TABLE.done_or_not else min(strength, 1.0)
            found.append((_event(replace(a, intensity=strength), m.fps, seconds), a))
    ranked = sorted(found, key=lambda pair: -_salience(pair[0], seconds))
    ranked = list({e.name: (e, a) for e, a in reversed(ranked)}.values())
    ranked.sort(key=lambda pair: -_salience(pair[0], seconds))
    kept = sorted(ranked[: _TABLE.max_events], key=lambda pair: (pair[0].start, not pair[0].is_emotion, pair[0].name))
    said = {id(a) for _, a in kept}
    names = {"neutral", *(e.name for e, _ in kept)}
    unsaid = tuple(dict.fromkeys(s.name for s in m.emotion.timeline if s.name not in names))
    return Explained(Schedule(round(seconds, 3), tuple(e for e, _ in kept), subject),
                     tuple(a for a in own if id(a) not in said), unsaid)


# -- text -------------------------------------------------------------------------------
def says_only(text: str, script: Schedule) -> bool:
    """Whether a text names nothing but the script's events, with their strengths and counts."""
    return all(
        any(e.name == said.name and said.level in ("medium", level_of(e.intensity)) for e in script.events)
        and any(e.name == said.name and said.count in (0, e.cycles or 1) for e in script.events)
        for said in text_facts(text).mentions)


def _still_sure(qa: QA, found: Explained) -> bool:
    """Whether a question has one right answer although the script does not say everything."""
    left = {a.name for a in found.left_out} | set(found.emotions_left_out)
    if not left or qa.kind == "present":
        return True
    if qa.kind == "order" and qa.question.startswith(("Which comes first", "What happens at the same time")):
        return True
    if qa.kind in ("count", "what", "order"):  # what comes first, after or before is open when something unsaid may be between
        return not found.left_out
    if qa.kind == "emotion":
        return not found.emotions_left_out
    if qa.kind == "which_side":
        mine = {e.name for e in found.script.events}
        return not any(set(f.answers) & left and set(f.answers) & mine for f in SIDES)
    return not left.intersection(text_facts(qa.question).names)


def texts_for(m: Measurement, seconds: float, rng: np.random.Generator, split: str = "train", *,
              n_captions: int = 4, n_questions: int = 6, subject: str = "person") -> Texts:
    """Captions, descriptions and questions for a measured clip, as a corpus row has them.

    Args:
        m, seconds, subject: as of :func:`explain`.
        rng: the same state gives the same texts.
        split: train | val | test.
        n_captions, n_questions: most captions (at least one comes back) and questions.

    Raises:
        ValueError: unknown split, or a clip shorter than 0.2 s or longer than 60 s.
    """
    if n_captions < 1 or n_questions < 0:
        raise ValueError(f"n_captions is {n_captions}, n_questions is {n_questions}; allowed: 1 or more, 0 or more")
    found = explain(m, seconds, subject=subject)
    script = found.script
    texts: dict[str, str] = {}
    for attempt in range(6 * n_captions):
        register = draw_register(rng)
        text = caption(script, rng, register, split)
        if says_only(text, script):
            texts.setdefault(text, register)
        if len(texts) == n_captions or (attempt >= 3 * n_captions and len(texts) >= 2):
            break
    canonical = describe(script)
    if not texts:
        texts[canonical] = "plain"
    other = next((t for t in (describe(script, rng) for _ in range(6)) if t != canonical), canonical)
    # asked for more than needed: those that the condensed script leaves open are dropped
    asked = questions(script, as_facts(m), rng, 2 * n_questions, split)
    sure = [q for q in asked if _still_sure(q, found)][:n_questions]
    return Texts(tuple(texts), tuple(texts.values()), (canonical, other), tuple(q.question for q in sure),
                 tuple(q.answer for q in sure), tuple(q.kind for q in sure), script.to_json())
