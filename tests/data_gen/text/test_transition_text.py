"""Transition instructions: every wording that is written is read back as it was meant."""

from contextlib import suppress

import numpy as np
import pytest
from facelm.data_gen.performer.transitions import realise_plan, sample_plan
from facelm.data_gen.text.lexicon import NEAREST, adjectives, nouns, outside
from facelm.data_gen.text.transition_text import FRAMES, TEMPLATES, find_emotions, instruction, paraphrase, parse, word_plan
from facelm.face.facs.vocabulary import EMOTIONS


def test_the_five_templates_of_the_paper():
    assert len(TEMPLATES) == 5
    assert instruction("anger", "happiness") == "Turn this face from anger to happiness."
    assert instruction("fear", "contempt", 3) == "Modify this face, changing it from fear to contempt."
    with pytest.raises(ValueError, match="sleepy.*known: neutral"):
        instruction("sleepy", "anger")
    with pytest.raises(ValueError, match="template is 5"):
        instruction("fear", "anger", 5)


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_written_is_read_back(split):
    rng = np.random.default_rng(3)
    for _ in range(400):
        plan = sample_plan(rng)
        text = word_plan(plan, rng, split)
        spec = realise_plan(plan, rng)
        request = parse(text)
        assert list(request.names) == [s.name for s in spec.stages], text
        assert request.seconds is None and not request.warnings, text
        assert "{" not in text and "  " not in text and text == text.strip() and text[-1] in ".?"


def test_intensities_and_blends_are_read():
    def blends(text):
        return [dict(s.blend) for s in parse(text).stages]

    assert blends("from furious to slightly happy") == [{"anger": 1.0}, {"happiness": 0.45}]
    assert blends("Turn this face to 70 % happy and 30 % surprised.") == [{"happiness": 0.7, "surprise": 0.3}]
    assert blends("Turn this face half-way from anger to happiness.")[0] == {"anger": 0.7}
    assert blends("Turn this face from anger half-way to happiness.")[1] == {"anger": 0.35, "happiness": 0.35}
    with pytest.raises(ValueError, match="170 % is not a share"):
        parse("Turn this face to 170 % happy.")


def test_durations_leave_the_text_and_holds_stay():
    request = parse("Turn this face from anger to happiness in 3 seconds.")
    assert request.seconds == 3.0 and "3" not in request.text
    assert parse("from joy to fear over 800 ms").seconds == 0.8
    held = parse("Turn this face from anger to joy. Hold the joy for 2 seconds.")
    assert held.seconds is None and "Hold the joy for 2 seconds" in held.text and held.names == ("anger", "happiness")
    with pytest.raises(ValueError, match="asks for 900 s; allowed: 0.2 to 600"):
        parse("from joy to fear in 900 seconds")


def test_via_neutral_is_an_expression_on_the_way():
    assert parse("from anger to joy via neutral").names == ("anger", "neutral", "happiness")
    assert parse("Turn this face from anger to neutral.").names == ("anger", "neutral")
    assert parse("Start with fear and end with a neutral face.").names == ("fear", "neutral")
    assert parse("now change it to sad, slowly, via neutral").names == ("neutral", "sadness")


def test_feelings_outside_the_eight_become_the_nearest_with_a_warning():
    request = parse("Turn this face from sleepy to angry.")
    assert request.names == ("neutral", "anger")
    assert len(request.warnings) == 1 and "'sleepy'" in request.warnings[0] and "neutral is the nearest" in request.warnings[0]
    assert "sleepy" not in request.text
    assert set(NEAREST.values()) <= set(EMOTIONS)
    assert outside()["puzzled"] == "surprise"


@pytest.mark.parametrize(("text", "says"), [
    ("", "the instruction is empty"),
    ("   ", "the instruction is empty"),
    ("from banana to anger", "'banana' is not an expression known here"),
    ("from angr to happy", "did you mean angry"),
    ("Turn this face from joy to banana.", "'banana'"),
    ("She nods twice.", "names no expression"),
    ("joy, anger, fear, joy, anger", "names 5 expressions"),
    ("x" * 1001, "1001 characters"),
])
def test_wrong_instructions_are_refused_in_a_sentence(text, says):
    with pytest.raises(ValueError, match=says):
        parse(text)


@pytest.mark.parametrize("text", [
    "Turn this face from anger to happiness", "make her go from furious to relieved", "now change it to sad, slowly, via neutral",
    "Morph this face from joy into fear", "Let anger give way to calm", "Turn this face to disgust",
])
def test_transitions_are_recognised(text):
    assert parse(text).is_change


@pytest.mark.parametrize("text", [
    "She turns her head from left to right.", "She smiles, then nods twice.", "He looks happy and nods.", "Is she angry?",
    "A woman looks surprised and then raises her eyebrows.", "blink twice", "", "from top to bottom",
])
def test_ordinary_prompts_are_not(text):
    with suppress(ValueError):  # names no expression
        assert not parse(text).is_change


def test_held_out_frames_and_words_never_enter_training():
    rng = np.random.default_rng(0)
    held = {p.head for e in EMOTIONS[1:] for p in (*nouns(e), *adjectives(e)) if p.held_out}
    held -= {p.head for e in EMOTIONS for p in (*nouns(e), *adjectives(e)) if not p.held_out}
    texts = [word_plan(sample_plan(rng), rng, "train") for _ in range(500)]
    assert not any(word in held for t in texts for _, _, word in find_emotions(t))
    assert not any(t.startswith(("Morph", "Bring", "Shift", "Could", "Convert", "I want")) for t in texts)
    assert sum(f.startswith("*") for f in FRAMES.pairs) >= 8
    other = [paraphrase("anger", "happiness", rng) for _ in range(60)]
    assert len(set(other)) > 20
    assert all(parse(t).names == ("anger", "happiness") for t in other)


def test_an_instruction_is_parsed_once_for_everything():
    asked = parse("Turn this face from anger to joy, nodding and opening the mouth, in 3 seconds. Hold the joy for a second.")
    assert asked.names == ("anger", "happiness") and asked.seconds == 3.0 and asked.is_change
    assert asked.actions == ("nod", "mouth_open") and asked.channels == {"head_x"}
    way = asked.through_neutral()
    assert way.names == ("anger", "neutral", "happiness") and way.via_neutral and way.seconds == 3.0
    assert parse(way.text).names == way.names
    plain = parse("Turn this face from anger to joy.")
    assert plain.channels == frozenset() and parse(plain.through_neutral().text) == plain.through_neutral()
    assert plain.through_neutral().through_neutral() == plain.through_neutral()
