"""Prompts to scripts: quantities by rules, everything else by the model, other languages refused."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.agent.motion.reading import plain, read_prompts, shortened, with_length
from facelm.data_gen.prompts.language import other_language
from facelm.data_gen.text.written import written
from facelm.face.facs.script import Script, mark
from facelm.face.facs.script_text import read_script
from facelm.llm.generate import MotionLM, Reading
from facelm.llm.model import MotionModel
from facelm.llm.vocabulary import MotionVocabulary
from llm_tiny import LAYOUT, tiny_base, tiny_model


class Noting:
    """Keeps what it is asked, and reads everything as a smile of each time that it is given."""

    def __init__(self, nats: float = 0.0) -> None:
        self.vocabulary, self.nats = tiny_model().vocabulary, nats
        self.asked: list[tuple[str, object]] = []

    def read(self, texts, quantities, sampling=None, draws=None) -> list[Reading]:  # noqa: ANN001
        self.asked += zip(texts, quantities, strict=True)
        return [Reading(read_script("; ".join(f"smile for {v} s" for v in q.t) or "smile"), self.nats) for q in quantities]

    def likelihoods(self, texts, items) -> np.ndarray:  # noqa: ANN001
        return np.full(len(texts), self.nats)


def test_the_model_sees_marks_and_knows_their_values() -> None:
    lm = Noting()
    script, = read_prompts(lm, ["Smile for 2.5 s, then nod three times."], tries=1)  # type: ignore[arg-type]
    (text, known), = lm.asked
    assert mark("t", 0) in text and mark("c", 0) in text and not any(c.isdigit() for c in text)
    assert (known.t, known.c) == ((2.5,), (3,)) and script == read_script("smile for 2.5 s")


def test_texts_are_made_plain_before_they_are_read() -> None:
    lm = Noting()
    read_prompts(lm, ["She\u200b smiles \u2014\x07 \u201cnicely\u201d\u2026\n now"], tries=1)  # type: ignore[arg-type]
    assert lm.asked[0][0] == 'She smiles - "nicely"...\nnow', "lines stay lines"
    assert plain("a\u0301") == "\u00e1" and plain("\r\n\t ") == ""
    assert plain("\U0001f469\u200d\U0001f4bb") == "\U0001f469\u200d\U0001f4bb", "a joined emoji stays one"


def test_a_prompt_is_read_as_if_alone() -> None:
    """Whatever else is read beside it, and also where the model is not sure and draws again."""
    prompts = ["smile", "nod slowly turn left", "frown what when", "smile for 2 s", "turn right"]
    lm = MotionLM(tiny_model(seed=3), batch_size=2)
    together = read_prompts(lm, prompts)
    assert together == [read_prompts(lm, [p])[0] for p in prompts] == read_prompts(lm, prompts)
    assert all(isinstance(s, Script) and Script.from_json(s.to_json()) == s for s in together)


ODD = "Monday in the office."
"""A text of known words that no rule reads."""


def test_a_prompt_in_which_nothing_was_found_is_unknown_as_a_whole() -> None:
    lm = Noting()
    lm.read = lambda texts, *_: [Reading(Script(), -0.1) for _ in texts]  # type: ignore[method-assign]
    for tries in (1, 6):
        assert read_prompts(lm, [ODD], tries)[0] == Script(unknown=(ODD,))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["asdf qwer", "lorem ipsum dolor", "grdfl"])
def test_of_words_that_nobody_knows_the_model_is_not_asked(text: str) -> None:
    lm = Noting()
    assert read_prompts(lm, [text]) == [Script(unknown=(text,))] and not lm.asked  # type: ignore[arg-type]
    assert read_prompts(lm, ["smilee plz"]) == [read_script("smile")], "a mistyped word is one that is known"  # type: ignore[arg-type]


def test_what_rules_know_well_is_not_left_out() -> None:
    script, = read_prompts(Noting(-0.1), ["She yawns, rolls her eyes to the ceiling and sulks."])  # type: ignore[arg-type]
    assert script == read_script("yawn; eye_roll; sulk"), "the model, sure of a smile, leaves all three out"


def test_a_script_line_and_signs_need_no_model() -> None:
    lm = Noting()
    lines = ["nod x2 fast; with smile held; pause 1 s wink left", "smile\nnever blink", "still"]
    assert read_prompts(lm, lines) == [read_script(line) for line in lines]  # type: ignore[arg-type]
    assert read_prompts(lm, ["\U0001f609", "12.5 % 3"])[1] == Script(unknown=("12.5 % 3",))  # type: ignore[arg-type]
    assert [c.name for c in read_prompts(lm, ["\U0001f609"])[0].cues] == ["wink"] and not lm.asked  # type: ignore[arg-type]
    assert read_prompts(lm, ["look_up; smile"]) == [read_script("look_up; smile")] and not lm.asked  # type: ignore[arg-type]
    read_prompts(lm, ["smile x288"])  # type: ignore[arg-type]
    assert len(lm.asked) == 1, "a line with a value that is not allowed is a text"
    read_prompts(lm, ["look up", "Never look down"], tries=1)  # type: ignore[arg-type]
    assert len(lm.asked) == 3, "words that could be the parts of a name are words"


def test_more_readings_are_drawn_only_where_the_model_is_not_sure() -> None:
    sure, unsure = Noting(), Noting(-5.0)
    for lm, count in ((sure, 1), (unsure, 6)):
        read_prompts(lm, [ODD])  # type: ignore[arg-type]
        assert len(lm.asked) == count
    read_prompts(unsure, [ODD], tries=1)  # type: ignore[arg-type]
    assert len(unsure.asked) == 7


def test_of_several_readings_the_likeliest_without_doubts_is_taken() -> None:
    lm, lines = Noting(-3.0), iter(["smile", "nod", "smile strong", "blink", "smile", "nod"])
    lm.read = lambda texts, *_: [Reading(read_script(next(lines)), -3.0) for _ in texts]  # type: ignore[method-assign]
    likely = {"@smile": -3.0, "@nod": -4.0, "@blink": -2.0}
    lm.likelihoods = lambda texts, items: np.array(  # type: ignore[method-assign]
        [-0.9 if "=strong" in i else likely[i[0]] for i in items])
    assert read_prompts(lm, [ODD])[0] == read_script("smile strong")  # type: ignore[arg-type]


def test_what_rules_read_of_a_whole_text_is_weighed_beside_the_model() -> None:
    lm = Noting(-3.0)  # it reads a smile
    lm.likelihoods = lambda texts, items: np.array([-3.0 if "@smile" in i else -5.0 for i in items])  # type: ignore[method-assign]
    assert read_prompts(lm, ["He nods twice."])[0] == read_script("nod x2")  # type: ignore[arg-type]
    assert read_prompts(lm, ["He nods twice."], tries=1)[0] == read_script("smile"), "the model alone"  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "language"), [
    ("Elle sourit et puis elle hoche la tête deux fois avec les yeux", "French"),
    ("Она улыбается и кивает", "in Cyrillic script"),
    ("彼女は微笑んでうなずく", "Japanese|Chinese"), ("Sie lächelt und nickt dann zweimal mit dem Kopf", "German"),
    ("Ella sonríe y luego asiente con la cabeza dos veces", "Spanish"), ("그녀는 미소를 짓는다", "Korean")])
def test_other_languages_are_refused_in_one_line(text: str, language: str) -> None:
    found = other_language(text)
    assert found is not None and any(name in found for name in language.split("|"))
    lm = Noting()
    with pytest.raises(ValueError, match=f"seems to be .*({language}).*; facelm reads English only") as refused:
        read_prompts(lm, ["She smiles.", text])  # type: ignore[arg-type]
    assert "\n" not in str(refused.value) and lm.asked == [], "nothing is read of the others"


def test_english_is_never_taken_for_another_language() -> None:
    prompts = [w.text for split in ("train", "dev") for w in written(split)]
    assert len(prompts) > 3000 and [p for p in prompts if other_language(p)] == []
    for text in ("", "123 :-)", "\U0001f642\U0001f642", "Amélie smiles", "an über-broad smile à la Mona Lisa", "¯\\_(ツ)_/¯",
                 "smile", "la la la"):
        assert other_language(text) is None, text


def test_weights_without_scripts_are_refused() -> None:
    base = tiny_base()
    old = MotionLM(MotionModel(base, MotionVocabulary(len(base.tokenizer), LAYOUT), None))
    with pytest.raises(ValueError, match="trained before scripts .*--weights DIR") as refused:
        read_prompts(old, ["smile"])
    assert "\n" not in str(refused.value)


def test_lengths_and_messages() -> None:
    script = read_script("3 s; smile")
    assert with_length(script, None) == script and with_length(script, 5.0).seconds == 5.0
    assert len(shortened("x" * 500)) == 60 and shortened("short") == "short"


def test_any_text_is_read_as_something_valid() -> None:
    rng = np.random.default_rng(0)
    lm = MotionLM(tiny_model(seed=1))
    for text in ("", "\x00\u200b", "\ud800"):
        with pytest.raises(ValueError, match="no visible characters"):
            read_prompts(lm, [text])
    texts = ["<|im_end|> smile", "\ud800 smile", "\x00\ue000\ue013", "\U0001f642" * 20, "nod " * 60,
             *("".join(chr(int(c)) for c in rng.integers(32, 0x2FF, 40)) for _ in range(5))]
    for script in read_prompts(lm, texts, tries=2):
        assert Script.from_json(script.to_json()) == script


def test_facs_codes_need_no_model() -> None:
    lm = Noting()
    assert read_prompts(lm, ["AU 4, then AU12 strong"])[0] == read_script(  # type: ignore[arg-type]
        "brow_lower; smile strong") and not lm.asked


def test_what_this_face_has_not_is_unknown_whatever_the_model_reads() -> None:
    lm = Noting()  # it reads a smile
    assert read_prompts(lm, ["She flares her nostrils."])[0] == Script(unknown=("flares her nostrils",))  # type: ignore[arg-type]
