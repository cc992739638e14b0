"""Schedules cut into windows: all of their steps, at rest where possible, and back."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.data_gen.performer.mixture import sample_schedule
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.vocabulary import ACTION, EMOTION
from facelm.llm.grammar.script_tokens import LEVELS, MAX_STEPS, ScriptTokens
from facelm.llm.grammar.windows import LONGEST, SHORTEST, WHOLE, Window, WindowEvent, WindowGrammar, cut, read_window

STEP = 0.16


def schedules(count: int = 60) -> list[Schedule]:
    return [sample_schedule(np.random.default_rng([5, i]), STEP) for i in range(count)]


def long_schedule(seed: int, seconds: float = 60.0) -> Schedule:
    """Short movements with rests between them."""
    rng = np.random.default_rng(seed)
    events, at = [], 0.5
    while at < seconds - 3:
        name = str(rng.choice(["smile", "nod", "turn_left", "anger", "blink"]))
        events.append(Event(name, at, 0.3, 0.4, 0.3, 0.6, 2 if name == "nod" else 0))
        at += 1.0 + float(rng.uniform(0.3, 1.2))
    return Schedule(seconds, tuple(events))


def test_windows_cover_every_step_once() -> None:
    for schedule in [*schedules(), long_schedule(0), Schedule(0.2, ()), Schedule(600.0, ())]:
        windows = cut(schedule, STEP)
        assert windows[0].start == 0
        assert all(a.start + a.steps == b.start for a, b in zip(windows, windows[1:], strict=False))
        assert windows[-1].start + windows[-1].steps == max(1, round(schedule.seconds / STEP))
        assert all(w.steps <= WHOLE for w in windows)
        if len(windows) > 1:
            assert all(SHORTEST <= w.steps <= LONGEST for w in windows[:-1])


def test_windows_end_at_rest_where_there_is_rest() -> None:
    for seed in range(5):
        schedule = long_schedule(seed)
        for window in cut(schedule, STEP)[:-1]:
            end = (window.start + window.steps) * STEP
            assert not any(e.start + STEP < end < e.end(schedule.seconds) - STEP for e in schedule.events), end
            assert not any(e.on for e in window.events)


def test_a_state_that_lasts_is_held_over_the_windows() -> None:
    schedule = Schedule(20.0, (Event("happiness", 1.0, 0.6, 18.4, 0.0, 0.8), Event("nod", 3.0, 0.3, 0.6, 0.3, 0.6, 2)))
    windows = cut(schedule, STEP)
    assert len(windows) > 2
    first, later = windows[0].events, [e for w in windows[1:] for e in w.events if e.name == "happiness"]
    assert [e.on for e in first if e.name == "happiness"] == [False]
    assert len(later) == len(windows) - 1
    for window, event in zip(windows[1:], later, strict=True):
        assert event.on and (event.start, event.rise, event.hold, event.fall) == (0, 0, window.steps, 0)
    nods = [e for w in windows for e in w.events if e.name == "nod"]
    assert len(nods) == 1, "no movement is cut in two while the rest of the face is held"


def test_long_repetitions_are_written_in_parts() -> None:
    schedule = Schedule(30.0, (Event("nod", 1.0, 0.3, 27.0, 0.3, 0.6, 46),))
    events = [e for w in cut(schedule, STEP) for e in w.events]
    assert len(events) > 5 and sum(e.count for e in events) == 46 and not any(e.on for e in events)
    assert all(1 <= e.count <= 12 and 0 <= e.rise + e.hold + e.fall <= WHOLE for e in events)
    once = Schedule(4.0, (Event("nod", 1.0, 0.3, 0.6, 0.3, 0.6, 2),))
    (event,) = [e for w in cut(once, STEP) for e in w.events]
    assert (event.count, event.start) == (2, 6)


def test_tokens_are_read_as_they_were_written() -> None:
    known, seen = ScriptTokens.default(), set()
    for schedule in [*schedules(), long_schedule(1)]:
        for window in cut(schedule, STEP):
            tokens = window.tokens()
            known.rows(tokens)
            assert read_window(tokens, window.start) == window
            seen |= {e.name for e in window.events}
    assert {"turn_left", "smile"} <= seen and seen <= set(ACTION) | set(EMOTION)


def test_sides_and_directions_have_tokens_of_their_own() -> None:
    window = Window(0, 10, (WindowEvent("turn_left", 0, 2, 3, 2, 12), WindowEvent("smile", 1, 2, 3, 2, 20, side="right", on=True),
                            WindowEvent("nod", 2, 1, 3, 1, 10, 3)))
    assert window.tokens() == ["length", "n10", "@turn", "left", "s12", "n0", "n2", "n3", "n2", "@smile", "right", "s20", "on",
                               "n1", "n2", "n3", "n2", "@nod", "s10", "x3", "n2", "n1", "n3", "n1"]
    assert read_window(window.tokens()) == window


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_grammar_allows_is_a_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, tokens = WindowGrammar(), []
    while True:
        allowed = sorted(state.allowed())
        if "</script>" in allowed and rng.random() < 0.3:
            break
        allowed = [a for a in allowed if a != "</script>"]
        kind = str(rng.choice(sorted({a[0] for a in allowed})))
        tokens.append(str(rng.choice([a for a in allowed if a[0] == kind])))
        state = state.take(tokens[-1])
    window = read_window(tokens)
    assert 1 <= window.steps <= MAX_STEPS and all(1 <= e.level <= LEVELS for e in window.events)
    assert all(e.name in ACTION or e.name in EMOTION for e in window.events)
    assert read_window(window.tokens()) == window


def test_wrong_tokens_are_refused() -> None:
    for tokens in (["@smile"], ["length", "n0"], ["length", "n5", "@turn", "s3"], ["length", "n5", "@nod", "left"],
                   ["length", "n5", "@smile", "s21"], ["length", "n5", "@laugh"]):
        with pytest.raises(ValueError, match="may not follow in a window here"):
            read_window(tokens)
    with pytest.raises(ValueError, match="has 2 times; 4 are needed"):
        read_window(["length", "n5", "@smile", "s3", "n1", "n2"])
