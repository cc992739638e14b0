"""Answers to typed questions about what was measured: values computed from facts, with their units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ....common.text import listed, often
from ..measured import Measurement
from ..script import STRENGTHS
from ..vocabulary import ACTION, EMOTIONS, FEELING
from .happenings import (
    PLURAL,
    SLACK,
    Shown,
    Thing,
    alike,
    happenings,
    in_region,
    meant,
    noun,
    occurrences,
    on_side,
    shown_as,
    side_of,
    which_one,
)
from .query import Answer, Query

_ALWAYS, _LAG = 0.78, 0.25
"""What lasts for this share of a clip goes on all the time: clips begin and end at rest. An emotion is seen so many seconds after
the face begins to move, and until as long before it is at rest."""
_PART, _PART_SECONDS = 0.3, 2.0
"""A clip's beginning and end are this share of it, at most so many seconds."""
_SHUT = ("blink",)
"""While one lasts, eyes are closed."""
_PACE = {"nod": (1.3, 1.9), "shake": (1.3, 2.0), "talking": (3.5, 4.8)}
"""Times a second up to which it is slow, and from which on it is fast; usual are 1.6, 1.7 and 4.2 (syllables)."""
_RISE = {"head": 0.6, "mouth": 0.45, "brows": 0.45, "jaw": 0.45}
"""Seconds that a movement of usual speed takes to come up; a quarter less is fast, a third more is slow."""
_UPRIGHT = {"look_up": "up", "look_down": "down", "gaze_up": "up", "gaze_down": "down"}
"""Which way it goes that goes to neither side."""
_STATES = {"eye_close": ("closed", "open"), "mouth_open": ("open", "closed")}
"""How eyes and mouth are while something lasts, and else."""
_STRONG, _SLIGHT = 0.8, 0.58
"""From this strength on it is strong, and up to that it is slight."""


def ask(m: Measurement, query: Query) -> Answer:
    """The answer to a query about a clip.

    Args:
        m: what was measured in it.
        query: the question.
    """
    if query.asked == "unseen":
        return Answer(None, f"{(query.why or 'that').capitalize()} cannot be seen in the motion of a face.")
    if query.part and (query.part, query.asked) != ("middle", "emotion"):
        query = replace(query, between=_span(m, query.part))
    if query.asked == "length":
        return Answer(round(m.seconds, 2), f"{m.seconds:.1f} s.")
    rows = happenings(m, query.between)
    if query.asked == "count" and not query.things:
        count = len([] if not rows else meant(rows))
        return Answer(count, f"{count}: {_told(meant(rows)).text}" if rows else "None.")
    if query.asked == "emotion":
        return _felt(m, query)
    if query.region and query.region != "emotion":
        rows = [s for s in rows if in_region(s, query.region)]
    if query.asked == "side" and not query.things:
        rows = [s for s in rows if side_of(s) != "both"]
        return _side(query, [rows[:1]], 0.0) if rows else Answer(None, "Nothing there is on one side only.")
    if query.asked in ("list", "first", "last") or query.asked in ("after", "before", "during") and query.things:
        return _WHOLE[query.asked](rows, query)
    if query.asked == "whether" and not query.things:  # whether anything happens there at all
        told = _list(meant(rows), query)
        if query.negated:
            return Answer(not rows, f"No: {told.text[:1].lower()}{told.text[1:]}" if rows else "Yes, nothing moves.")
        return Answer(bool(rows), f"Yes: {told.text[:1].lower()}{told.text[1:]}" if rows else "No, nothing.")
    found = [_in_part(m, rows, thing) for thing in query.things]
    if query.asked == "compare" and any(found) and all(t.at is not None or t.part for t in query.things):
        found = [some or [_NOTHING] for some in found]  # none of it at one of two moments is less of it
    if any(not some for some in found):  # what a behaviour brings along is there as well
        everything = happenings(replace(m, named=None), query.between)
        found = [some if some or thing.which is not None and occurrences(rows, replace(thing, which=None)) else
                 occurrences(everything, thing) or occurrences(rows, replace(thing, names=alike(thing.names[0])))
                 for some, thing in zip(found, query.things, strict=True)]
    if query.asked == "whether" and query.between:  # at a moment
        found = [some or (occurrences(rows, replace(t, names=_SHUT)) if t.names == ("eye_close",) else [])
                 for some, t in zip(found, query.things, strict=True)]
    made = next((t for t, some in zip(query.things, found, strict=True) if t.made_of and not some), None)
    if m.named is None and made is not None:
        return Answer(None, f"{made.made_of}; ask about one of them.")
    if query.asked == "whether":
        return _whether(m, query, found)
    if query.asked == "count":
        count = sum(s.times for some in found for s in some)
        if query.limit:
            return _held(count, query.limit, often(count))
        return Answer(count, f"{often(count).capitalize()}.")
    if query.asked == "which":
        there = [(some[0].name, noun(t.label)) for t, some in zip(query.things, found, strict=True) if some]
        return Answer([n for n, _ in there], f"{listed([t for _, t in there]).capitalize()}." if there else "Neither.")
    if query.asked == "always" and query.negated and not all(found):
        return Answer(True, "Yes.")
    if query.asked in ("order", "together", "always") and not all(found):
        return Answer(False, f"No, {_none(query, found)}.")
    if not found:
        return Answer(None, "That does not say of what; name something that a face does.")
    if not all(found):
        return Answer(None, f"{_none(query, found).capitalize()}.")
    if query.asked in ("gap", "order", "together") and len(found) < 2:
        return Answer(None, "That is about two things; name both.")
    low, high = query.between or (0.0, m.seconds)
    return _OF_THINGS[query.asked](query, found, min(high, m.seconds) - low)


_NOTHING = Shown("", "", 0.0, 0.0, 0.0, 0, "both")


def _span(m: Measurement, part: str) -> tuple[float, float]:
    """The seconds that are a clip's start or end."""
    own = min(_PART_SECONDS, _PART * m.seconds)
    if part == "middle":
        return (m.seconds - own) / 2, (m.seconds + own) / 2
    return (0.0, own) if part == "start" else (m.seconds - own, m.seconds)


def _in_part(m: Measurement, rows: list[Shown], thing: Thing) -> list[Shown]:
    """Occurrences of a thing; of the clip's start or end the first or last of several in that half, else what is in that part."""
    own = occurrences(rows, thing)
    if not thing.part:
        return own
    edge = own[:1] if thing.part == "start" else own[-1:]
    if len(own) > 1 and (edge[0].start + edge[0].end < m.seconds) is (thing.part == "start"):
        return edge
    return occurrences(happenings(m, _span(m, thing.part)), thing)


def _none(query: Query, found: list[list[Shown]]) -> str:
    """That what a question names is not there."""
    absent = [t.label for t, some in zip(query.things, found, strict=True) if not some]
    return f"there {'are' if any(p in absent[0] for p in PLURAL) else 'is'} no {' and no '.join(absent)}"


def _sentence(words: Sequence[str]) -> str:
    text = listed(words)
    return f"{text[:1].upper()}{text[1:]}."


# -- answers about named things -------------------------------------------------------------
def _held(value: float, limit: tuple[str, float], said: str) -> Answer:
    """Whether a value is more or less than a limit, or the same."""
    how, than = limit
    true = value > than if how == "more" else value < than if how == "less" else abs(value - than) < 0.15
    return Answer(true, f"{'Yes' if true else 'No'}, {said}.")


def _whether(m: Measurement, query: Query, found: list[list[Shown]]) -> Answer:
    there = bool(found) and all(found)
    if query.degree == "amid":
        own, *ends = found
        if not all(ends):
            return Answer(False, f"No, {_none(query, found)}.")
        low, high = sorted(some[0].start for some in ends)
        inside = [s for s in own if low < s.start < high]
        return Answer(bool(inside), f"Yes, at {inside[0].start:.1f} s." if inside else "No.")
    if query.degree == "state":
        state = _STATES[query.things[0].names[0]][not there]
        return Answer(state, f"{state.capitalize()}.")
    if query.negated:
        return Answer(not there, "No, it is there." if there else f"Right, {_none(query, found)}.")
    if there:
        return Answer(True, "Yes." if len(found) == 1 else f"Yes: {listed([noun(t.label) for t in query.things])}.")
    if any(found):
        seen = [noun(t.label) for t, some in zip(query.things, found, strict=True) if some]
        return Answer(False, f"No: there is {listed(seen)}, but {_none(query, found)}.")
    names = {n for t, some in zip(query.things, found, strict=True) if not some for n in t.names}
    perhaps = [a for a in m.unsure if a.name in names]
    if perhaps and len(query.things) == 1:
        best = max(perhaps, key=lambda a: a.confidence)
        return Answer(None, f"Not clearly; perhaps at {best.onset:.1f} s (sure to {100 * best.confidence:.0f} %).")
    return Answer(False, "No.")


def _when(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    if query.degree == "most":
        best = max(found[0], key=lambda s: s.strength)
        peak = round((best.start + best.end) / 2 if best.apex is None else best.apex, 2)
        return Answer([peak], f"At {peak:.1f} s.")
    starts = [round(s.start, 2) for s in found[0]]
    return Answer(starts, f"At {listed([f'{t:.1f}' for t in starts])} s.")


def _until(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    ends = [round(s.end, 2) for s in found[0]]
    if query.degree == "ever":
        own = [t for t in ends if t < seconds - SLACK]
        return Answer(bool(own), f"Yes, at {listed([f'{t:.1f}' for t in own])} s." if own else "No, it lasts to the end.")
    if query.limit:
        return _held(max(ends), query.limit, f"it lasts until {max(ends):.1f} s")
    return Answer(ends, f"Until {listed([f'{t:.1f}' for t in ends])} s.")


def _how_long(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    spans = [round(s.end - s.start, 2) for s in found[0]]
    if query.degree == "all":
        total = round(sum(s.end - s.start for s in found[0]), 2)
        return Answer(total, f"{total:.1f} s{f', in {len(spans)} parts' if len(spans) > 1 else ''}.")
    if query.limit:
        return _held(max(spans), query.limit, f"{max(spans):.1f} s")
    return Answer(spans, f"{listed([f'{t:.1f} s' for t in spans])}.")


def _how_strong(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    best = max(s.strength for s in found[0])
    word = min(STRENGTHS, key=lambda w: abs(STRENGTHS[w] - best))
    if query.degree:
        true = best >= _STRONG if query.degree == "strong" else best <= _SLIGHT
        return Answer(true, f"{'Yes' if true else 'No'}, {100 * best:.0f} % of full strength ({word}).")
    return Answer(round(best, 2), f"{100 * best:.0f} % of full strength ({word}).")


def _how_fast(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    one = max(found[0], key=lambda s: s.times)
    if query.degree and one.name in _PACE and one.hertz:
        slow, fast = _PACE[one.name]
        true = one.hertz >= fast if query.degree == "fast" else one.hertz <= slow
        return Answer(true, f"{'Yes' if true else 'No'}, {one.hertz:.1f} times a second.")
    rise = one.apex - one.start if one.apex is not None and one.name in ACTION and len(found[0]) == 1 else 0.0
    if query.degree in ("fast", "slow") and rise and not one.hertz and (usual := _RISE.get(ACTION[one.name].region)):
        true = rise <= 0.75 * usual if query.degree == "fast" else rise >= 1.3 * usual
        return Answer(true, f"{'Yes' if true else 'No'}, it takes {rise:.1f} s to come up.")
    if one.hertz:
        slow, fast = _PACE.get(one.name, (0.0, 1e9))
        pace = "slow" if one.hertz <= slow else "fast" if one.hertz >= fast else "usual"
        return Answer(round(one.hertz, 2), f"{one.hertz:.1f} times a second{f' ({pace})' if one.name in _PACE else ''}.")
    if len(found[0]) > 1:
        over = found[0][-1].end - found[0][0].start
        rate = len(found[0]) / over
        return Answer(round(rate, 2), f"{len(found[0])} times within {over:.1f} s, {rate:.1f} times a second.")
    lasts = f"lasts {one.end - one.start:.1f} s"
    if one.apex is None:
        return Answer(None, f"It {lasts}; its speed is not measured.")
    rise = one.apex - one.start
    turned = f", {one.degrees / rise:.0f} degrees a second" if one.degrees and rise > 0.05 else ""
    return Answer(round(rise, 2), f"It takes {rise:.1f} s to come up{turned}, and {lasts}.")


def _side(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    sides = list(dict.fromkeys(_UPRIGHT.get(s.name) or side_of(s) for s in found[0]))
    return Answer(sides, _sentence([s if s in _UPRIGHT.values() else on_side(s) for s in sides]))


def _always(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    if len(found) > 1:  # for as long as something else goes on
        host = max(found[1], key=lambda s: s.end - s.start)
        shared = sum(max(min(b, host.end) - max(a, host.start), 0.0) for a, b in map(_moved, found[0]))
        share = shared / max(host.end - host.start, 1e-6)
    else:
        low, high = query.between or (0.0, seconds)
        share = sum(max(min(b, high) - max(a, low), 0.0) for a, b in map(_moved, found[0])) / max(seconds, 1e-6)
    if query.negated:
        return Answer(share < 0.02, "Yes." if share < 0.02 else f"No, for {100 * share:.0f} % of the time they are not.")
    return Answer(share >= _ALWAYS, "Yes." if share >= _ALWAYS else f"No, for {100 * share:.0f} % of the time.")


def _moved(s: Shown) -> tuple[float, float]:
    lag = 0.0 if s.name in ACTION else _LAG
    return max(s.start - lag, 0.0), s.end + lag


def _compare(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    if len(found) < 2:
        return Answer(None, "Two things are needed to compare.")
    if query.by == "side":
        one, other = side_of(found[0][0]), side_of(found[1][0])
        said = f"the {which_one(query.things[0])} is on {on_side(one)}, the {which_one(query.things[1])} on {on_side(other)}"
        return Answer(one == other, f"{'Yes' if one == other else 'No'}: {said}.")
    if query.by == "start" and not query.claim:
        order = sorted(zip(found, query.things, strict=True), key=lambda pair: pair[0][0].start)
        said = "; ".join(f"the {which_one(t)} at {rows[0].start:.1f} s" for rows, t in order)
        return Answer(order[-1 if query.least else 0][1].names[0], f"{said.capitalize()}.")
    def size(rows: list[Shown]) -> float:
        if query.by == "count":
            return float(sum(s.times for s in rows))
        if query.by == "start":
            return -rows[0].start
        if query.by == "speed":
            return max(s.hertz or s.times / max(s.end - s.start, 1e-3) for s in rows)
        return max(s.end - s.start if query.by == "length" else s.strength for s in rows)

    a, b = size(found[0]), size(found[1])
    def unit(v: float) -> str:
        if query.by == "speed":
            return f"{v:.1f} times a second"
        return f"{100 * v:.0f} %" if query.by == "strength" else often(round(v)) if query.by == "count" else f"{abs(v):.1f} s"

    names = [which_one(t) for t in query.things[:2]]
    if query.claim:
        true = unit(a) != unit(b) and (a < b if query.least else a > b)
        return Answer(true, f"{'Yes' if true else 'No'}: the {names[0]} {unit(a)}, the {names[1]} {unit(b)}.")
    if unit(a) == unit(b):
        return Answer(0, f"Both alike, {unit(a)}.")
    k = 0 if (a < b if query.least else a > b) else 1
    said = f"The {names[k]}, {unit((a, b)[k])} against {unit((b, a)[k])}."
    if query.things[0].names == query.things[1].names:
        which = query.things[k].which
        if (moment := query.things[k].at) is not None:
            return Answer(moment, said)
        return Answer(k + 1 if which is None or which < 0 else which + 1, said)
    return Answer(query.things[k].names[0], said)


def _order(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    if len(found) > 2:
        return _told(sorted((some[0] for some in found), key=lambda s: s.start))
    if len(found) < 2:
        return Answer(None, "Two things are needed to say which comes first.")
    gap = found[1][0].start - found[0][0].start
    said = "Yes." if gap > SLACK else "No, they begin together." if abs(gap) <= SLACK else "No, the other way."
    return Answer(gap > SLACK, said)


def _together(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    shared = max(min(a.end, b.end) - max(a.start, b.start) for a in found[0] for b in found[1])
    if shared > SLACK:
        return Answer(True, f"Yes, for {shared:.1f} s.")
    first, then = sorted((found[0][0], found[1][0]), key=lambda s: s.start)
    return Answer(False, f"No: {first.label} at {first.start:.1f} s, {then.label} at {then.start:.1f} s.")


def _gap(query: Query, found: list[list[Shown]], seconds: float) -> Answer:
    first, then = sorted((found[0][0], found[1][0]), key=lambda s: s.start)
    between = max(then.start - first.end, 0.0)
    return Answer(round(between, 2), f"{between:.1f} s from the end of one to the beginning of the other "
                                     f"({then.start - first.start:.1f} s from beginning to beginning).")


_OF_THINGS = {"when": _when, "until": _until, "how_long": _how_long, "how_strong": _how_strong, "how_fast": _how_fast,
              "side": _side, "always": _always, "compare": _compare, "order": _order, "together": _together, "gap": _gap}


# -- answers about all that happens -----------------------------------------------------------
def _list(rows: Sequence[Shown], query: Query) -> Answer:
    low = query.between[0] if query.between else 0.0
    if len(query.things) == 1 and not query.things[0].names:  # the third of all that happens
        k = query.things[0].which or 0
        rows = meant(rows)
        return _told(rows[k:][:1] if -len(rows) <= k < len(rows) else [], low)
    if query.things and query.negated:  # all but these
        named = [s for thing in query.things for s in occurrences(rows, thing)]
        return _told(meant([s for s in rows if s not in named]), low)
    if len(query.things) == 1:
        return _told(occurrences(rows, query.things[0]), low)
    if query.things:  # what lies between two
        found = [occurrences(rows, t) for t in query.things[:2]]
        if not all(found):
            return Answer(None, f"{_none(query, found).capitalize()}.")
        first, then = sorted((found[0][0], found[1][0]), key=lambda s: s.start)
        return _told(meant([s for s in rows if first.start < s.start < then.start]), low)
    return _told(rows, low)


def _told(rows: Sequence[Shown], low: float = 0.0) -> Answer:
    if not rows:
        return Answer([], "Nothing.")
    said = [f"{s.label}{f' ({s.times} times)' if s.times > 1 else ''} {'since' if s.start < low else 'at'} {s.start:.1f} s"
            for s in rows]
    return Answer([s.name for s in rows], _sentence(said))


def _ends(rows: Sequence[Shown], query: Query) -> Answer:
    if not rows:
        return Answer([], "Nothing happens.")
    rows = meant(rows)
    edge = rows[0].start if query.asked == "first" else max(s.start for s in rows)
    own = _told([s for s in rows if abs(s.start - edge) <= SLACK])
    if not query.things:
        return own
    true = any(n in (own.value or []) for n in (*query.things[0].names, *alike(query.things[0].names[0])))
    return Answer(true, f"{'Yes' if true else 'No'}: {own.text[:1].lower()}{own.text[1:]}")


def _around(rows: Sequence[Shown], query: Query) -> Answer:
    query = replace(query, things=query.things[:1])
    own = shown_as(rows, query.things[0])
    if not own:
        return Answer(None, f"{_none(query, [[]]).capitalize()}.")
    rows = meant([s for s in rows if s.name not in query.things[0].names])
    if query.region == "emotion":
        rows = [s for s in rows if s.name not in ACTION]
    start, end = own[0].start, own[0].end
    if query.asked == "before":
        earlier = [s for s in rows if s.start < start - SLACK]
        return _told(earlier if query.degree == "all" else [s for s in earlier if s.start >= earlier[-1].start - SLACK])
    if query.asked == "after":
        later = [s for s in rows if s.start > start + SLACK]
        return _told(later if query.degree == "all" else [s for s in later if s.start - later[0].start <= SLACK])
    return _told([s for s in rows if s.start < end - SLACK and s.end > start + SLACK])


def _felt(m: Measurement, query: Query) -> Answer:
    low, high = query.between or (0.0, m.seconds)
    known = [(n.name.replace("_", " "), n.onset, n.offset) for n in m.named or () if n.name in FEELING or n.name in EMOTIONS]
    felt = known or [(s.name, s.start, s.end) for s in m.emotion.timeline if s.name != "neutral"
                     and not any(n.covers(s.name, s.start, s.end) for n in m.named or ())]
    course = sorted((row for row in felt if row[2] > low and row[1] < high), key=lambda row: row[1])
    if query.part == "middle" and len(course) % 2:
        course = course[len(course) // 2:][:1]
    if query.things and query.things[0].which is not None:
        k = query.things[0].which
        course = course[k:][:1] if -len(course) <= k < len(course) else []
    if not course:
        return Answer(["neutral"], "None: the face is neutral.")
    return Answer([n for n, _, _ in course], _sentence([f"{n} from {a:.1f} to {b:.1f} s" for n, a, b in course]))


_WHOLE = {"list": _list, "first": _ends, "last": _ends, "after": _around, "before": _around, "during": _around}
