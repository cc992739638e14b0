"""Variants of labelled texts: what changes in the text changes in the script."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from facelm.data_gen.text.multiply import CHANGES, Pair, mirror, multiply, recount, rename, reshare, resubject, retime
from facelm.data_gen.text.quantities import find_quantities
from facelm.face.facs.script_text import read_script, write_script
from facelm.llm.grammar.script_tokens import Quantities, write

PROMPTS = Path(__file__).parents[3] / "data_gen" / "text" / "prompts"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OTHER = {"left": "right", "right": "left"}


def pair(text: str, line: str) -> Pair:
    return Pair(text, read_script(line))


def shown(made: Pair | None) -> tuple[str, str]:
    assert made is not None
    return made.text, write_script(made.script)


def writable(made: Pair) -> bool:
    found = find_quantities(made.text)
    try:
        write(made.script, Quantities(found.t, found.p, found.c))
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def written_by_hand() -> list[Pair]:
    tables = [LOADER(file.read_text(encoding="utf-8")).get_single_data() for file in sorted(PROMPTS.glob("train_*.yaml"))]
    rows = [row for table in tables for kind in table.values() for row in kind]
    return [pair(*row) for row in rows[::9]]


@pytest.mark.parametrize(("text", "line", "turned", "turned_line"), [
    ("Turn left, then wink your right eye.", "turn left; wink right", "Turn right, then wink your left eye.",
        "turn right; wink left"),
    ("LEFT BROW UP", "brow_raise left", "RIGHT BROW UP", "brow_raise right"),
    ("eyes toward the viewer's left", "gaze right", "eyes toward the viewer's right", "gaze left"),
    ("raise the brow on screen right", "brow_raise left", "raise the brow on screen left", "brow_raise right"),
    ("AU12L and AU51", "smile left; turn left", "AU12R and AU52", "smile right; turn right"),
    ("look leftwards with the left-hand brow up", "gaze left; with brow_raise left",
        "look rightwards with the right-hand brow up",
     "gaze right; with brow_raise right"),
    ("wink left without moving the right brow", "wink left; never brow_raise right", "wink right without moving the left brow",
     "wink right; never brow_raise left")])
def test_mirror(text: str, line: str, turned: str, turned_line: str) -> None:
    assert shown(mirror(pair(text, line))) == (turned, turned_line)


@pytest.mark.parametrize(("text", "line"), [
    ("smile", "smile"), ("wink", "wink left"), ("turn left right away", "turn left"), ("wink, then turn right",
        "wink left; turn right"),
    ("raise one eyebrow, then look left", "brow_raise left; gaze left"), ("she left the room, gaze left", "gaze left"),
    ("alright, turn left", "turn left"), ("all right, tilt right", "tilt right")])
def test_no_mirror_where_a_side_is_unclear(text: str, line: str) -> None:
    assert mirror(pair(text, line)) is None


def test_mirror_twice_is_the_text_itself(written_by_hand: list[Pair]) -> None:
    seen = again = 0
    for given in written_by_hand:
        if made := mirror(given):
            seen += 1
            back = mirror(made)  # nothing where the new text may mean "right in the middle"
            assert back in (given, None)
            again += back is not None
            assert len(made.text) - len(given.text) in range(-8, 9)
            assert [OTHER.get(c.side, c.side) for c in made.script.cues] == [c.side for c in given.script.cues]
    assert seen > 30
    assert again > 0.95 * seen


@pytest.mark.parametrize(("text", "line"), [
    ("nod three times", "nod x3"), ("blink 4x, then nod twice", "blink x4; nod x2"), ("two nods and five blinks",
        "nod x2; blink x5"),
    ("Sneeze x3", "sneeze x3"), ("Three winks of the left eye", "wink left x3")])
def test_counts_change_together(text: str, line: str) -> None:
    values = set()
    for seed in range(30):
        made = recount(pair(text, line), np.random.default_rng(seed))
        if made:
            assert find_quantities(made.text).c == tuple(float(c.count) for c in made.script.cues if c.count)
            assert all(2 <= (c.count or 2) <= 12 for c in made.script.cues)
            values.add(write_script(made.script))
    assert len(values) > 3


def test_counts_that_are_related_stay() -> None:
    rng = np.random.default_rng(0)
    assert recount(pair("rather than three nods, do five", "nod x5"), rng) is None
    assert recount(pair("Twice over: nod and then shake", "nod; shake; nod; shake"), rng) is None
    assert recount(pair("nod nod nod", "nod x3"), rng) is None
    assert retime(pair("in the middle of a 6 s clip, so at 3, smile", "6 s; smile at 3 s"), rng) is None
    assert retime(pair("smile for the first 2 s and frown for the next 2 s",
        "smile until 2 s; brow_lower at 2 s until 4 s"), rng) is None
    assert reshare(pair("frown 30%, then twice as strong", "brow_lower 30%; into brow_lower 60%"), rng) is None


def test_times_keep_their_order_and_form() -> None:
    texts = set()
    for seed in range(40):
        made = retime(pair("Smile from 1 to 3 s, nod at 0:04 for two seconds, clip 8s",
            "8 s; smile at 1 s until 3 s; nod at 4 s for 2 s"),
                      np.random.default_rng(seed))
        if made:
            smile, nod = made.script.cues
            assert find_quantities(made.text).t == (smile.start, smile.end, nod.start, nod.seconds, made.script.seconds)
            assert smile.start < nod.seconds < smile.end < nod.start < made.script.seconds
            assert re.fullmatch(r"Smile from [\d.]+ to [\d.]+ s, nod at 0:\d\d for \w+ seconds, clip [\d.]+s", made.text)
            texts.add(made.text)
    assert len(texts) > 3


def test_shares_change_together() -> None:
    made = [reshare(pair("Smile at 40%, then frown 70 percent", "smile 40%; brow_lower 70%"),
        np.random.default_rng(i)) for i in range(20)]
    assert all(made)
    for m in made:
        assert m is not None
        assert find_quantities(m.text).p == tuple(c.strength for c in m.script.cues)
        assert m.script.cues[0].strength < m.script.cues[1].strength


def test_names_are_exchanged_in_the_same_form() -> None:
    seen = set()
    for seed in range(60):
        made = rename(pair("She frowns, then turns her head to the left.", "brow_lower; turn left"), np.random.default_rng(seed))
        if made:
            seen.add(made.text)
            assert made.text.startswith("She ")
            frown, turn = made.script.cues
            assert (frown.name == "brow_lower") != (turn.name == "turn")
            assert turn.side == "left"
            assert " left" in made.text
            assert "your" not in made.text
    assert len(seen) > 20


def test_feelings_are_exchanged_with_their_article() -> None:
    seen = set()
    for seed in range(60):
        made = rename(pair("A sad face for 2 s", "sadness for 2 s"), np.random.default_rng(seed))
        if made is None:  # of feelings whose words are several
            continue
        seen.add(made.script.cues[0].name)
        assert re.match(r"An [aeiou]|A [^aeiou]", made.text), made.text
        assert made.script.cues[0].kind in ("emotion", "feeling")
        assert made.script.cues[0].name != "sadness"
    assert len(seen) > 20


def test_a_name_that_is_not_in_the_text_stays() -> None:
    for seed in range(10):
        assert rename(pair("over the moon as can be", "happiness"), np.random.default_rng(seed)) is None
        assert rename(pair("tense as a bowstring", "tense strong"), np.random.default_rng(seed)) is None
        assert rename(pair("a smile of hers, wide", "smile strong"), np.random.default_rng(seed)) is None


def test_pronouns_follow_the_subject() -> None:
    made = {m.text for i in range(60) if (m := resubject(pair("She closes her eyes.", "eye_close"), np.random.default_rng(i)))}
    assert "He closes his eyes." in made
    assert any(t.startswith("The old lady closes her") for t in made)
    men = {m.text for i in range(30) if (m := resubject(pair("Make her raise her brow.", "brow_raise"),
        np.random.default_rng(i)))}
    assert men == {"Make him raise his brow."}
    assert all(m is None for m in (resubject(pair("Show her tired", "tired"), np.random.default_rng(i)) for i in range(20))
               if m is None or m.text != "Show him tired")
    assert resubject(pair("She nods and he smiles", "nod; smile"), np.random.default_rng(0)) is None


def test_variants_of_hand_written_texts_are_sound(written_by_hand: list[Pair]) -> None:
    made = {name: 0 for name in CHANGES}
    for i, given in enumerate(written_by_hand):
        for name, change in CHANGES.items():
            new = change(given, np.random.default_rng(i))
            if new:
                made[name] += 1
                assert new.text != given.text
                assert len(new.script.cues) == len(given.script.cues)
                assert writable(new) or not writable(given), (name, given.text, new.text)
                assert (new.script == given.script) == (name == "resubject")
    assert all(n > 1 for n in made.values()), made


def test_multiply_gives_different_texts() -> None:
    given = pair("She turns left for 2 s and nods three times.", "turn left for 2 s; nod x3")
    made = multiply(given, np.random.default_rng(1), 8)
    assert len({m.text for m in made}) == len(made) > 4
    assert given.text not in {m.text for m in made}
    assert made == multiply(given, np.random.default_rng(1), 8)
    assert all(writable(m) for m in made)


def test_half_of_a_phrase_is_no_phrase() -> None:
    given = pair("He looks up and to the left.", "gaze_up; gaze left")
    assert all(rename(given, np.random.default_rng(i)) is None for i in range(20))
