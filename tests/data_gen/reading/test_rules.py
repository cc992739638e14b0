"""Plain English is read by rules, and no text breaks them."""

import random
import time

import pytest
from facelm.data_gen.reading.rules import LEAST, read_rules
from facelm.data_gen.text.quantities import find_quantities
from facelm.eval.prompts.facts import normal
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script

PLAIN = {
    "smile": "smile",
    "Raise your left eyebrow.": "brow_raise left",
    "nod three times": "nod x3",
    "She nods slowly, then smiles.": "nod slow; smile",
    "Turn your head to the right for 2 seconds": "turn right for 2 s",
    "look sad": "sadness",
    "A low intensity smile": "smile slight",
    "Raise the left brow while keeping the rest still": "brow_raise left; still",
    "She wiggles her ears and smiles": "smile; unknown wiggles her ears",
}


def _read(text: str) -> Script | None:
    marked = find_quantities(text)
    reading = read_rules(marked)
    assert reading is None or LEAST <= reading.explained <= 1
    return reading.script if reading else None


@pytest.mark.parametrize(("text", "line"), PLAIN.items())
def test_plain_texts_are_read(text: str, line: str) -> None:
    script = _read(text)
    assert script is not None
    assert normal(script) == normal(read_script(line))


@pytest.mark.parametrize(
    "text", ["", " ", "?!", "quarterly report of the shipping department", "\ue000\ue00c\uf000", "'" * 99, "né à l'été"]
)
def test_what_is_not_about_faces_is_not_read(text: str) -> None:
    assert _read(text) is None


def test_no_text_breaks_the_rules() -> None:
    pick = random.Random(0)
    words = (
        " ".join(PLAIN) + " before after while with from to into not only AU12L 😀 -> , . ; : 5s 40% x3 'hello' left right "
        "the other both first last it hold until eyes open keeps"
    ).split()
    for _ in range(1500):
        text = " ".join(pick.choices(words, k=pick.randint(1, 14)))
        _read(text)


def test_long_texts_take_bounded_time() -> None:
    start = time.perf_counter()
    _read("she raises her left eyebrow very slowly and then " * 600)
    _read("a " * 390 + "smile")
    assert time.perf_counter() - start < 5
