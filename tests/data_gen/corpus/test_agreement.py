"""Prompts against clips: what is confirmed, missing, contradicted, and when a prompt is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.corpus.agreement import OPPOSITES, agreement, requests_of
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.prompts.factors import Attributes
from facelm.data_gen.prompts.script import script_for
from facelm.data_gen.prompts.suite import sample_prompts
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.vocabulary import ACTION


def clip(*events: tuple[str, float], level: float = 0.7, cycles: int = 0, seconds: float = 5.0) -> Measurement:
    made = [Event(n, at, 0.12, 0.04, 0.16, 1.0, 1) if n == "blink" else Event(n, at, 0.4, 0.8, 0.4, level, cycles)
            for n, at in events]
    return measure(perform(Schedule(seconds, tuple(made))))


def status(attributes: Attributes, m: Measurement) -> dict[str, str]:
    return {f.name: f.status for f in agreement(attributes, m).findings}


SMILE = clip(("smile", 0.6))
REST = clip()


def test_a_smile_that_is_there_is_confirmed() -> None:
    found = agreement(Attributes(actions=("smile",)), SMILE)
    assert status(Attributes(actions=("smile",)), SMILE) == {"smile": "confirmed", "silence": "confirmed"}
    assert found.score == 1.0 and not found.flagged


def test_a_smile_that_is_not_there_is_flagged_in_words() -> None:
    found = agreement(Attributes(actions=("smile",)), REST)
    assert found.missing == ("smile",) and found.flagged and found.reasons == ("asked for smile, the clip has none",)
    json.dumps(found.to_dict())


@pytest.mark.parametrize(("asked", "shown"), [("turn_left", "turn_right"), ("look_up", "look_down"), ("nod", "shake"),
                                              ("tilt_right", "tilt_left")])
def test_the_other_side_contradicts(asked: str, shown: str) -> None:
    cycles = 2 if ACTION[asked].cyclic else 0
    found = agreement(Attributes(head=(asked,)), clip((shown, 0.6), cycles=cycles))
    assert found.contradicted == (asked,) and "instead" in found.reasons[0]
    assert shown in OPPOSITES[asked] and asked in OPPOSITES[shown]


def test_lip_corners_down_contradict_a_smile() -> None:
    assert status(Attributes(actions=("smile",)), clip(("lip_corner_depress", 0.6)))["smile"] == "contradicted"


def test_emotions() -> None:
    happy = clip(("happiness", 0.6))
    assert status(Attributes(emotion="happiness"), happy)["happiness"] == "confirmed"
    assert status(Attributes(emotion="sadness"), happy)["sadness"] == "contradicted"
    assert status(Attributes(emotion="neutral"), happy)["neutral"] == "contradicted"
    assert status(Attributes(emotion="neutral"), REST)["neutral"] == "confirmed"
    assert status(Attributes(emotion="anger"), REST)["anger"] == "missing"
    assert status(Attributes(emotion="fear"), clip(("surprise", 0.6)))["fear"] == "missing"  # akin, not the opposite
    part = agreement(Attributes(emotion="sadness"), clip(("lip_corner_depress", 0.6)))
    assert part.findings[0].status == "partial" and "only" in part.findings[0].reason
    assert part.score == 0.75 and not part.flagged


def test_strengths_two_steps_apart_are_partial() -> None:
    asked = Attributes(actions=("smile",), intensity="strong")
    weak = agreement(asked, clip(("smile", 0.6), level=0.45))
    assert weak.findings[0].status == "partial" and "strong" in weak.findings[0].reason and "slight" in weak.findings[0].reason
    assert agreement(asked, SMILE).findings[0].status == "confirmed"  # one step


def test_speech_and_silence() -> None:
    talking = clip(("talking", 0.6), cycles=6)
    assert status(Attributes(speaking=True), talking) == {"talking": "confirmed"}
    assert status(Attributes(actions=("smile",), speaking=True), SMILE)["talking"] == "missing"
    assert status(Attributes(emotion="neutral"), talking)["silence"] == "contradicted"


def test_what_cannot_be_measured_is_said() -> None:
    confused = agreement(Attributes(emotion_word="confused"), REST)
    assert confused.findings[0].status == "unmeasurable" and confused.findings[0].name == "confused" and confused.flagged
    assert confused.reasons == ("the prompt asks for nothing that can be measured",)
    head = agreement(Attributes(actions=("cheek_puff", "smile")), SMILE, measurable=frozenset({"smile"}))
    assert head.findings[0].status == "unmeasurable" and not head.flagged and head.score == 1.0


def test_unrequested_actions_are_reported_and_do_not_flag() -> None:
    both = clip(("smile", 0.4), ("turn_left", 2.6), level=0.9)
    found = agreement(Attributes(actions=("smile",), intensity="strong"), both)
    assert found.extra == ("turn_left",) and not found.flagged


def test_words_alone_with_counts_and_order() -> None:
    m = clip(("smile", 0.5), ("blink", 2.5), ("look_down", 3.0))
    assert not agreement(None, m, text="She smiles, then lowers her head.").flagged
    swapped = agreement(None, m, text="She lowers her head, then smiles.")
    assert swapped.flagged and "the other way round" in swapped.reasons[0]
    counted = agreement(None, m, text="A woman smiles and blinks twice.")
    assert counted.contradicted == ("blink",) and "2 times, the clip has 1" in counted.reasons[0]
    assert agreement(None, m, text="A portrait in soft light.").reasons == ("the prompt asks for nothing that can be measured",)
    assert [r.name for r in requests_of(None, "He looks very angry and frowns.")] == ["anger", "brow_lower"]


def test_performed_prompts_agree_and_exchanged_ones_do_not() -> None:
    prompts = list(sample_prompts(40))
    clips = [measure(perform(script_for(p.attributes, i))) for i, p in enumerate(prompts)]
    own = [agreement(p.attributes, m) for p, m in zip(prompts, clips, strict=True)]
    other = [agreement(p.attributes, m) for p, m in zip(prompts, clips[7:] + clips[:7], strict=True)]
    assert not any(a.missing or a.contradicted for a in own)
    assert np.mean([a.flagged for a in other]) > 0.85


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="neither attributes nor a text"):
        agreement(None, SMILE)
    with pytest.raises(ValueError, match="unknown entry .mood"):
        agreement({"mood": "good"}, SMILE)
    assert agreement(Attributes(actions=("smile",)).as_dict(), SMILE).score == 1.0
    assert not agreement(Attributes(actions=("smile",)), replace(SMILE, seconds=90.0)).extra
