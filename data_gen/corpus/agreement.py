"""Does a clip show what its prompt asked for? Attribute by attribute, from measured facts.

Text-to-video follows a prompt as far as it happens to; a caption that repeats the prompt over a
clip that does something else is wrong training data. :func:`agreement` compares what
a prompt asks for with what was measured and says for each request whether it is confirmed,
partly there, missing, contradicted or not measurable. A prompt is kept as a caption only if
nothing in it is refuted; otherwise the clip is captioned from its facts (from_facts.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...face.facs.measured import MeasuredAction, Measurement
from ...face.facs.schedule import LEVELS, level_of
from ...face.facs.vocabulary import ACTION, EMOTION_ACTIONS, EMOTIONS, allowed_with
from ..prompts.factors import Attributes
from ..text.from_facts import PROTOTYPE, explain
from ..text.lexicon import COUNTABLE, LABELS, UNGRADED
from ..text.parser import text_facts

_WORTH: dict[str, float] = {"confirmed": 1.0, "partial": 0.5, "missing": 0.0, "contradicted": 0.0}
"""Of a finding; what is unmeasurable does not count."""

_PAIRS: tuple[tuple[str, str], ...] = (
    ("smile", "lip_corner_depress"), ("brow_raise", "brow_lower"), ("inner_brow_raise", "brow_lower"),
    ("eye_widen", "squint"), ("eye_widen", "eye_close"), ("mouth_open", "lip_press"), ("lip_pucker", "lip_stretch"),
    ("wink_left", "wink_right"), ("jaw_left", "jaw_right"), ("nod", "shake"), ("tilt_left", "tilt_right"),
    ("turn_left", "turn_right"), ("look_up", "look_down"), ("gaze_left", "gaze_right"), ("gaze_up", "gaze_down"))
OPPOSITES: dict[str, frozenset[str]] = {
    n: frozenset(b if n == a else a for a, b in _PAIRS if n in (a, b)) for pair in _PAIRS for n in pair}
"""Actions that say the opposite: the other side, the other way."""
_AKIN: frozenset[frozenset[str]] = frozenset(
    frozenset(p) for p in (("fear", "surprise"), ("anger", "disgust"), ("contempt", "happiness"), ("contempt", "disgust"),
                           ("sadness", "fear"), ("sadness", "anger")))
"""Emotions that share actions: one instead of the other is a miss, not the opposite."""


LEAST = 0.24
"""Weakest action that confirms a request, share of full scale."""
EMOTION_SECONDS = 0.4
"""Shortest stretch of an emotion that confirms it."""
NEUTRAL_SHARE = 0.8
"""A face that was asked to be neutral is neutral for this share of the clip."""
TALKING_SECONDS = 1.0
"""Speech in a clip that was asked to be silent, from which on it contradicts."""
EXTRA = 0.5
"""Weakest unrequested action that is reported."""
ORDER_SECONDS = 0.2
"""How much earlier than told an event must begin to be out of order."""
KEEP = 0.75
"""Lowest score with which a prompt is kept."""


@dataclass(frozen=True)
class Request:
    """One thing that a prompt asks for."""

    name: str
    """An action, an emotion, ``silence``, or an emotion word outside the eight."""
    level: str = ""
    """slight | medium | strong; empty when the prompt does not say."""
    count: int = 0
    """How often; 0 when the prompt does not say."""


@dataclass(frozen=True)
class Finding:
    """What became of one request."""

    name: str
    status: str
    """confirmed | partial | missing | contradicted | unmeasurable"""
    reason: str
    """In words; empty when confirmed without remark."""


@dataclass(frozen=True)
class Agreement:
    """How a clip agrees with its prompt."""

    findings: tuple[Finding, ...]
    extra: tuple[str, ...]
    """Measured and not asked for, nor entailed by what was."""
    score: float
    """Mean over measurable requests: 1 confirmed, 0.5 partial, 0 otherwise; 0 when nothing is measurable."""
    flagged: bool
    """Whether the prompt must not be used as a caption."""
    reasons: tuple[str, ...]
    """Why it is flagged, one clause each."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What was asked for and is not there."""
        return tuple(f.name for f in self.findings if f.status == "missing")

    @property
    def contradicted(self) -> tuple[str, ...]:
        """What was asked for where the clip shows the opposite."""
        return tuple(f.name for f in self.findings if f.status == "contradicted")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"score": round(self.score, 3), "flagged": self.flagged, "agrees": not self.flagged,
                "reasons": list(self.reasons), "missing": list(self.missing), "contradicted": list(self.contradicted),
                "findings": [{"name": f.name, "status": f.status, "reason": f.reason} for f in self.findings],
                "extra": list(self.extra)}


# -- what is asked for ------------------------------------------------------------------
def requests_of(attributes: Attributes | Mapping[str, Any] | None, text: str | None = None) -> tuple[Request, ...]:
    """What a prompt asks a face to do: from its attributes, else from its words.

    Args:
        attributes: the prompt's structured attributes (or their ``as_dict``); None when there are none.
        text: the prompt; read only when there are no attributes (data_gen/text/parser.py).

    Raises:
        ValueError: neither attributes nor text, or attributes that are none.
    """
    if attributes is None:
        if text is None:
            raise ValueError("neither attributes nor a text; give what the prompt asks for")
        return tuple(Request(m.name, "" if m.level == "medium" else m.level, m.count) for m in text_facts(text).mentions)
    a = attributes if isinstance(attributes, Attributes) else Attributes.from_dict(attributes)
    out = []
    if a.emotion is not None:
        out.append(Request(a.emotion, "" if a.emotion == "neutral" else a.intensity))
    elif a.emotion_word is not None:
        out.append(Request(a.emotion_word))
    out += [Request(n, "" if n in UNGRADED else a.intensity) for n in a.actions]
    out += [Request(n) for n in (*a.head, *a.gaze)]
    out.append(Request("talking" if a.speaking else "silence"))
    return tuple(dict.fromkeys(out))


# -- what is there ----------------------------------------------------------------------
def _label(name: str) -> str:
    return LABELS.get(name, name)


def _said(actions: Sequence[MeasuredAction]) -> str:
    best = max(actions, key=lambda a: a.intensity)
    return f"{_label(best.name)} at {best.onset:.1f} s"


class _Clip:
    """A measurement, as far as requests look at it."""

    def __init__(self, m: Measurement) -> None:
        self.m = m

    def of(self, name: str) -> list[MeasuredAction]:
        return [a for a in self.m.actions if a.name == name and a.intensity >= LEAST]

    def felt(self, name: str) -> float:
        """Seconds of an emotion."""
        return sum(s.end - s.start for s in self.m.emotion.timeline if s.name == name)

    def onset(self, name: str) -> float | None:
        """When a request is first met."""
        if name in EMOTIONS:
            return next((s.start for s in self.m.emotion.timeline if s.name == name), None)
        return min((a.onset for a in self.of(name)), default=None)

    def action(self, r: Request) -> Finding:
        mine = self.of(r.name)
        if not mine:
            opposite = [a for o in OPPOSITES.get(r.name, ()) for a in self.of(o)]
            if opposite:
                return Finding(r.name, "contradicted", f"asked for {_label(r.name)}, the clip has {_said(opposite)} instead")
            short = {"eye_close": "blink", "blink": "eye_close"}.get(r.name)
            if short and self.of(short):
                return Finding(r.name, "partial", f"asked for {_label(r.name)}, the clip has {_said(self.of(short))}")
            return Finding(r.name, "missing", f"asked for {_label(r.name)}, the clip has none")
        if r.count and r.name in COUNTABLE:
            seen = sum(a.cycles or 1 for a in mine)
            if seen != r.count:
                return Finding(r.name, "contradicted", f"asked for {_label(r.name)} {r.count} times, the clip has {seen}")
        return self.strength(r, max(a.intensity for a in mine))

    def strength(self, r: Request, intensity: float) -> Finding:
        if not r.level or r.name in UNGRADED:
            return Finding(r.name, "confirmed", "")
        steps = list(LEVELS)
        seen = level_of(intensity)
        if abs(steps.index(seen) - steps.index(r.level)) == 2:
            return Finding(r.name, "partial", f"asked for {r.level} {_label(r.name)}, the clip's is {seen}")
        return Finding(r.name, "confirmed", "")

    def emotion(self, r: Request) -> Finding:
        name, total = r.name, max(self.m.seconds, 1e-6)
        felt = {s.name: self.felt(s.name) for s in self.m.emotion.timeline if s.name != "neutral"}
        other = max(felt, key=lambda n: felt[n], default="")
        if name == "neutral":
            share = 1.0 - sum(felt.values()) / total
            if share >= NEUTRAL_SHARE:
                return Finding(name, "confirmed", "")
            return Finding(name, "contradicted", f"asked for a neutral face, the clip shows {other} for {felt[other]:.1f} s")
        parts = [self.of(n) for n in EMOTION_ACTIONS[name]]
        if felt.get(name, 0.0) >= min(EMOTION_SECONDS, 0.5 * total):
            strengths = [max(a.intensity for a in p) / full
                         for p, full in zip(parts, PROTOTYPE[name].values(), strict=True) if p]
            return self.strength(r, min(1.0, sum(strengths) / len(strengths)) if strengths else 0.45)
        if other and felt[other] >= EMOTION_SECONDS:
            said = f"asked for {name}, the clip shows {other}"
            return Finding(name, "missing" if frozenset((name, other)) in _AKIN else "contradicted", said)
        shown = [n for n, p in zip(EMOTION_ACTIONS[name], parts, strict=True) if p]
        if shown and 2 * len(shown) >= len(parts):
            return Finding(name, "partial", f"of {name} the clip shows only {' and '.join(map(_label, shown))}")
        return Finding(name, "missing", f"asked for {name}, the clip shows none")

    def silence(self) -> Finding:
        talk = [a for a in self.of("talking") if a.intensity >= 0.3]
        seconds = sum(a.offset - a.onset for a in talk)
        if seconds >= TALKING_SECONDS:
            return Finding("silence", "contradicted", f"asked to be silent, the clip talks for {seconds:.1f} s")
        return Finding("silence", "confirmed", "")

    def find(self, r: Request, measurable: frozenset[str] | None) -> Finding:
        if r.name == "silence":
            return self.silence()
        if r.name in EMOTIONS:
            return self.emotion(r)
        if r.name not in ACTION:
            return Finding(r.name, "unmeasurable", f"{r.name} is none of the emotions that can be measured")
        if measurable is not None and r.name not in measurable:
            return Finding(r.name, "unmeasurable", f"{_label(r.name)} cannot be measured on this head")
        return self.action(r)


def _extra(m: Measurement, requests: Sequence[Request]) -> tuple[str, ...]:
    """What the clip shows beyond the requests, strongest things only."""
    names = [r.name for r in requests]
    allowed: set[str] = {"blink"}  # people blink
    for n in names:
        allowed |= allowed_with(n) if n in ACTION or n in EMOTIONS else set()
    if not 0.2 <= m.seconds <= 60.0:
        return ()
    found = explain(m, m.seconds)
    own = [(e.name, e.intensity) for e in found.script.events] + [(a.name, a.intensity) for a in found.left_out]
    return tuple(dict.fromkeys(n for n, x in own if n not in allowed and n not in names and x >= EXTRA))


def _disorder(clip: _Clip, text: str) -> list[str]:
    """Events that begin before what the text tells first."""
    groups = text_facts(text).groups
    names = [n for g in groups for n in g]
    out = []
    for before, after in zip(groups, groups[1:], strict=False):
        for a in before:
            for b in after:
                first, second = clip.onset(a), clip.onset(b)
                once = names.count(a) == names.count(b) == 1
                if once and first is not None and second is not None and second < first - ORDER_SECONDS:
                    out.append(f"told {_label(a)} before {_label(b)}, the clip has it the other way round")
    return out


def agreement(attributes: Attributes | Mapping[str, Any] | None, m: Measurement, *, text: str | None = None,
              measurable: frozenset[str] | None = None) -> Agreement:
    """Compare a prompt with a measured clip.

    Args:
        attributes: what the prompt asks for (data_gen/prompts/suite.py); None to read it from ``text``.
        m: what was measured.
        text: the prompt's words; without attributes they are all there is, with attributes they are not read.
        measurable: actions that the clip's head has landmarks for (``Signals.measurable``); None is all.

    Raises:
        ValueError: neither attributes nor text, or unknown attributes.
    """
    asked = requests_of(attributes, text)
    clip = _Clip(m)
    findings = tuple(clip.find(r, measurable) for r in asked)
    disorder = _disorder(clip, text) if attributes is None and text is not None else []
    worth = [_WORTH[f.status] for f in findings if f.status in _WORTH]
    score = sum(worth) / len(worth) if worth else 0.0
    refuted = [f.reason for f in findings if f.status in ("missing", "contradicted")] + disorder
    reasons = list(refuted)
    if score < KEEP:
        reasons += [f.reason for f in findings if f.status == "partial"]
    if not [f for f in findings if f.status in _WORTH and f.name != "silence"]:
        reasons.append("the prompt asks for nothing that can be measured")
    return Agreement(findings, _extra(m, asked), score, bool(reasons), tuple(dict.fromkeys(reasons)))
