"""Quoted speech and its syllables."""

import pytest
from facelm.data_gen.reading.rules import read_rules
from facelm.data_gen.text.quantities import find_quantities
from facelm.data_gen.wording.speech import speeches, syllables
from facelm.face.facs.script_text import write_script


@pytest.mark.parametrize(("text", "count"), [
    ("hello", 2), ("good morning", 3), ("I don't know", 3), ("people", 2), ("delicious", 3), ("hilarious", 4), ("crying", 2),
    ("family", 3), ("little", 2), ("I didn't", 3), ("beautiful", 3), ("21", 3), ("100", 5), ("7", 2), ("10", 1), ("olé", 2),
    ("banana", 3),
    ("b b but", 3), ("hopeless", 2), ("watched", 1), ("wanted", 2), ("nation", 2), ("glasses", 2), ("would you marry me", 5)])
def test_syllables_as_they_are_spoken(text: str, count: int) -> None:
    assert syllables(text) == count
    assert syllables(text.upper()) == count


@pytest.mark.parametrize(("text", "said"), [
    ("She says 'hello there!' and nods.", ["hello there"]), ('"No," he says, "not now."', ["No", "not now"]),
    ("“Stop!” A glare.", ["Stop"]), ("He whispers 'don't go', sad.", ["don't go"]), ("the 'duck face' look", []),
    ("a dog's smile and the girls' brows", []), ("'Never.' (beat) 'Ever.'", ["Never", "Ever"]), ("nods", []), ("says ''", [])])
def test_what_is_said(text: str, said: list[str]) -> None:
    assert [text[a:b] for a, b in speeches(text)] == said


def test_speech_is_a_count_that_the_text_holds() -> None:
    marked = find_quantities("She says 'see you at 5 tomorrow' and nods twice at 4 s.")
    assert (marked.c, marked.t) == ((7.0, 2.0), (4.0,)), "a time that is only spoken is none"
    assert "see" not in marked.text


def test_the_rules_read_it() -> None:
    ruled = read_rules(find_quantities("He says 'good morning', then smiles."))
    assert ruled is not None
    assert write_script(ruled.script) == "talking x3; smile"
