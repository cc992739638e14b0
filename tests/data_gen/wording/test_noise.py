"""Slips of typing: much changes, what the text asks does not."""

import re

import numpy as np
import pytest
from facelm.data_gen.asked import sample
from facelm.data_gen.text.quantities import find_quantities
from facelm.data_gen.text.say import say
from facelm.data_gen.wording.noise import noisy

DECISIVE = re.compile(r"\b(?:left|right|no|not|never|nothing|without|before|after)\b|n't\b")
TEXTS = [
    "Turn your head to the left, then wink your right eye three times.",
    "She doesn't smile, and never blinks, without moving her head.",
    "A 6-second clip: the woman looks surprised at 2.5 s, holding it for half a second.",
    "Raise the left eyebrow 40 % and frown x2."]


@pytest.fixture(scope="module")
def typed() -> list[tuple[str, str]]:
    out = [(t, noisy(t, np.random.default_rng(i))) for t in TEXTS for i in range(80)]
    for i in range(300):
        rng = np.random.default_rng(i)
        script = sample(rng)
        text = say(script, rng)
        out.append((text, noisy(text, rng, keep=script.unknown)))
    return out


def test_quantities_stay(typed: list[tuple[str, str]]) -> None:
    for text, noise in typed:
        a, b = find_quantities(text), find_quantities(noise)
        assert (a.t, a.p, a.c) == (b.t, b.p, b.c), (text, noise)


def test_sides_and_negations_stay(typed: list[tuple[str, str]]) -> None:
    for text, noise in typed:
        assert DECISIVE.findall(text.lower()) == DECISIVE.findall(noise.lower()), (text, noise)


def test_most_texts_change_and_stay_alike(typed: list[tuple[str, str]]) -> None:
    assert sum(text != noise for text, noise in typed) > 0.6 * len(typed)
    for text, noise in typed:
        assert abs(len(noise) - len(text)) < 0.35 * len(text) + 10


def test_marks_are_never_touched() -> None:
    for i in range(200):
        marked = find_quantities(TEXTS[i % len(TEXTS)]).text
        noise = noisy(marked, np.random.default_rng(i), rate=0.6)
        assert re.findall("[\ue000-\uf8ff]", noise) == re.findall("[\ue000-\uf8ff]", marked)


def test_the_rate_is_the_share_of_misspelt_words() -> None:
    text = "The beautiful woman grimaces slightly and wrinkles her forehead whenever somebody mentions spiders"

    def changed(rate: float) -> int:
        return sum(a != b for i in range(60) for a, b in zip(
            text.lower().split(), noisy(text, np.random.default_rng(i), rate=rate).lower().split(), strict=False))

    assert changed(0.0) < changed(0.2) < changed(0.8)


def test_kept_phrases_stay() -> None:
    for i in range(100):
        assert "do a cartwheel" in noisy("Smile broadly, and do a cartwheel", np.random.default_rng(i), 0.9, ("do a cartwheel",))


def test_every_kind_of_slip_happens(typed: list[tuple[str, str]]) -> None:
    noise = [n for _, n in typed]
    assert any(n.isupper() for n in noise)
    assert any(n.islower() for n in noise)
    assert any(re.search(r"\b(?:pls|plz|ur|yr|u|da|teh|n)\b", n.lower()) for n in noise)
    assert any("  " in n for n in noise)
    assert any(t.endswith(".") and not n.endswith(".") for t, n in typed)


def test_the_same_seed_gives_the_same_text() -> None:
    assert noisy(TEXTS[0], np.random.default_rng(3)) == noisy(TEXTS[0], np.random.default_rng(3))
