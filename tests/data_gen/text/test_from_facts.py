"""Words for clips without a script: the script that explains a measurement, and its texts."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.text.captions import REGISTERS, describe
from facelm.data_gen.text.from_facts import (
    PROTOTYPE,
    explain,
    says_only,
    texts_for,
)
from facelm.data_gen.text.parser import actions_in_text, text_facts
from facelm.data_gen.text.questions import KINDS
from facelm.face.facs.emotions import EmotionEstimate, EmotionSegment
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import MeasuredAction, Measurement
from facelm.face.facs.schedule import Schedule, level_of
from facelm.face.facs.vocabulary import EMOTION_ACTIONS


def action(name: str, onset: float, offset: float, intensity: float = 0.8, cycles: int | None = None) -> MeasuredAction:
    return MeasuredAction(name, onset, onset + 0.3 * (offset - onset), offset, intensity, 0.0, "mm", cycles)


def measured(*actions: MeasuredAction, seconds: float = 8.0, felt: tuple[EmotionSegment, ...] = ()) -> Measurement:
    timeline = felt or (EmotionSegment("neutral", 0.0, seconds, 1.0),)
    ordered = tuple(sorted(actions, key=lambda a: a.onset))
    return Measurement(ordered, EmotionEstimate(timeline[0].name, timeline), 25.0, seconds)


def names(script: Schedule) -> list[str]:
    return [e.name for e in script.events]


@pytest.fixture(scope="module")
def performed() -> list[tuple[Schedule, Measurement]]:
    scripts = [sample_script(np.random.default_rng([31, i])) for i in range(120)]
    return [(s, measure(perform(s))) for s in scripts]


# -- round trip -----------------------------------------------------------------------------
def test_the_script_of_a_performance_is_found_again(performed: list[tuple[Schedule, Measurement]]) -> None:
    hits = lost = added = right_level = right_count = levels = counts = 0
    late = []
    for script, m in performed:
        found = explain(m, m.seconds).script
        a, b = Counter(names(script)), Counter(names(found))
        hits, lost, added = hits + (a & b).total(), lost + (a - b).total(), added + (b - a).total()
        for e in script.events:
            for x in (x for x in found.events if x.name == e.name):
                late.append(abs(x.start - e.start))
                levels, right_level = levels + 1, right_level + (abs(x.intensity - e.intensity) < 0.13)
                if e.cycles:
                    counts, right_count = counts + 1, right_count + (x.cycles == e.cycles)
    assert hits / (hits + lost) >= 0.98 and hits / (hits + added) >= 0.98
    assert right_level / levels >= 0.95 and right_count / counts >= 0.95
    assert np.quantile(late, 0.95) < 0.06


def test_every_text_names_only_what_was_measured(performed: list[tuple[Schedule, Measurement]]) -> None:
    for i, (script, m) in enumerate(performed[:60]):
        texts = texts_for(m, m.seconds, np.random.default_rng(i), "test" if i % 3 == 0 else "train")
        seen = set(m.names) | {s.name for s in m.emotion.timeline}
        for text in (*texts.captions, *texts.describe):
            assert set(actions_in_text(text)) <= seen, (text, script)
            assert says_only(text, Schedule.from_json(texts.script))
        for kind, question, answer in zip(texts.kinds, texts.questions, texts.answers, strict=True):
            assert kind in KINDS
            if kind == "absent":
                assert answer == "No." and not set(text_facts(question).names) & set(m.names)


def test_columns_are_those_of_a_corpus_row(performed: list[tuple[Schedule, Measurement]]) -> None:
    script, m = next(p for p in performed if len(p[0].events) == 3)
    texts = texts_for(m, m.seconds, np.random.default_rng(0), subject="man")
    row = texts.columns()
    assert set(row) == {"captions", "registers", "describe", "questions", "answers", "kinds", "script"}
    assert 1 <= len(row["captions"]) == len(row["registers"]) <= 4 and set(row["registers"]) <= set(REGISTERS)
    assert len(row["describe"]) == 2 and 3 <= len(row["questions"]) == len(row["answers"]) == len(row["kinds"]) <= 6
    assert json.loads(row["script"])["subject"] == "man"
    assert row["describe"][0] == describe(Schedule.from_json(row["script"]))
    again = texts_for(m, m.seconds, np.random.default_rng(0), subject="man")
    assert again == texts


# -- condensing -----------------------------------------------------------------------------
def test_nothing_measured_is_a_resting_face() -> None:
    script = explain(measured(), 3.0).script
    assert script.events == () and describe(script) == "Stays neutral."
    texts = texts_for(measured(seconds=3.0), 3.0, np.random.default_rng(1))
    assert all(not actions_in_text(c) for c in texts.captions)
    assert all(a == "No." for a, k in zip(texts.answers, texts.kinds, strict=True) if k == "absent")


def test_an_emotion_explains_its_actions_and_not_those_of_the_head() -> None:
    felt = (EmotionSegment("neutral", 0.0, 1.0, 0.9), EmotionSegment("happiness", 1.0, 4.0, 0.7))
    m = measured(action("smile", 0.8, 4.2, 0.95), action("squint", 0.8, 4.2, 0.75), action("turn_left", 1.5, 3.0, 0.9), felt=felt)
    script = explain(m, 8.0).script
    assert names(script) == ["happiness", "turn_left"]
    assert level_of(script.events[0].intensity) == "strong" and script.events[0].start == pytest.approx(0.8)


def test_an_emotion_needs_its_whole_prototype_in_proportion() -> None:
    felt = (EmotionSegment("anger", 1.0, 4.0, 0.4),)
    partly = measured(action("brow_lower", 0.8, 4.2, 0.9), action("squint", 0.8, 4.2, 0.5), felt=felt)
    assert "anger" not in names(explain(partly, 8.0).script)
    crooked = measured(action("brow_lower", 0.8, 4.2, 0.3), action("squint", 0.8, 4.2, 0.6), action("lip_press", 0.8, 4.2, 0.7),
                       felt=felt)
    assert "anger" not in names(explain(crooked, 8.0).script)
    whole = measured(*(action(n, 0.8, 4.2, 0.7 * full) for n, full in PROTOTYPE["anger"].items()), felt=felt)
    assert names(explain(whole, 8.0).script) == ["anger"]


def test_prototypes_are_the_vocabularys() -> None:
    assert {k: set(v) for k, v in PROTOTYPE.items()} == {k: set(v) for k, v in EMOTION_ACTIONS.items() if v}


def test_repeats_become_counts_and_entailed_actions_go() -> None:
    blinks = [action("blink", 1.0 + 0.5 * i, 1.3 + 0.5 * i, 0.98) for i in range(3)]
    m = measured(*blinks, action("tongue_out", 4.0, 5.0, 0.9), action("mouth_open", 4.0, 5.0, 0.4),
                 action("gaze_down", 1.0, 1.3, 0.9))
    script = explain(m, 8.0).script
    assert [(e.name, e.cycles) for e in script.events] == [("blink", 3), ("tongue_out", 0)]
    assert describe(script) == "Blinks three times, then sticks out the tongue far."


def test_a_busy_clip_is_cut_to_its_most_salient_events_in_time_order() -> None:
    rng = np.random.default_rng(5)
    pool = ["smile", "brow_raise", "gaze_left", "gaze_right", "blink", "lip_press", "turn_left", "squint", "talking",
            "chin_raise"]
    actions = [action(pool[i % 10], t, t + 0.4, float(rng.uniform(0.25, 0.7)), 2 if pool[i % 10] == "talking" else None)
               for i, t in enumerate(np.linspace(0.0, 7.4, 30))]
    actions.append(action("nod", 2.0, 4.0, 1.0, 3))
    found = explain(measured(*actions), 8.0)
    assert len(found.script.events) == 4 and "nod" in names(found.script) and len(found.left_out) > 10
    assert len(set(names(found.script))) == 4  # no name twice
    starts = [e.start for e in found.script.events]
    assert starts == sorted(starts)


def test_open_questions_are_not_asked_when_something_is_left_unsaid() -> None:
    m = measured(action("turn_left", 0.5, 1.5, 0.9), action("turn_right", 3.0, 3.4, 0.3), action("smile", 4.0, 6.0, 0.9),
                 action("brow_raise", 2.0, 3.5, 0.9), action("nod", 6.2, 7.4, 0.9, 2))
    assert [a.name for a in explain(m, 8.0).left_out] == ["turn_right"]
    for seed in range(12):
        texts = texts_for(m, 8.0, np.random.default_rng(seed))
        assert not {"which_side", "count", "what"} & set(texts.kinds)
        for question, answer in zip(texts.questions, texts.answers, strict=True):
            assert not ("turn_right" in actions_in_text(question) and answer == "No.")


def test_what_lasts_to_the_end_stays_and_speech_does_not() -> None:
    m = measured(action("smile", 5.0, 8.0, 0.9), action("talking", 6.0, 8.0, 0.6, 5))
    events = {e.name: e for e in explain(m, 8.0).script.events}
    assert events["smile"].stays and not events["talking"].stays


@pytest.mark.parametrize("seconds", [0.04, 601.0])
def test_lengths_that_no_script_has_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="allowed: 0.2 to 600"):
        explain(measured(), seconds)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="n_captions is 0"):
        texts_for(measured(), 3.0, np.random.default_rng(0), n_captions=0)
    with pytest.raises(ValueError, match="split"):
        texts_for(measured(), 3.0, np.random.default_rng(0), "dev")
