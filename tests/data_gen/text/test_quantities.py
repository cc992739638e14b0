"""Quantities of a text: what is found, what it is worth, and what stays text."""

import pytest
from facelm.data_gen.text.quantities import SLOTS, find_quantities, mark

NAMES = {mark(kind, i): f"<{kind}{i}>" for kind in SLOTS for i in range(SLOTS[kind])}


def shown(text: str) -> str:
    """A text with its marks spelt out."""
    return "".join(NAMES.get(c, c) for c in find_quantities(text).text)


TIMES = {
    "smile for 2 seconds": (2.0,), "1.5s": (1.5,), "500 ms": (0.5,), "400ms then 1,500 ms": (0.4, 1.5), "half a second": (0.5,),
    "for a second": (1.0,), "a second and a half": (1.5,), "two and a half seconds": (2.5,), "two-and-a-half seconds": (2.5,),
    "a couple of seconds": (2.0,), "a few seconds": (3.0,), "0:04": (4.0,), "00:01.5": (1.5,), "1:20": (80.0,), ":06": (6.0,),
    "a minute": (60.0,), "half a minute": (30.0,), "1 min 30 s": (90.0,), "a 3-second clip": (3.0,),
    "at the 3 second mark": (3.0,), "at 2 and at 5 s": (2.0, 5.0), "at 1, 2 and 4 s": (1.0, 2.0, 4.0),
    "from 1 to 3 s": (1.0, 3.0), "0-2s: smile": (0.0, 2.0), "0-2s: smile, 2-4s: frown": (0.0, 2.0, 2.0, 4.0),
    "0-2: smile, 2-4: frown": (0.0, 2.0, 2.0, 4.0), "0-2 smile, 2-4 frown, 4-6 nod": (0.0, 2.0, 2.0, 4.0, 4.0, 6.0),
    "2,5 s": (2.5,), "t=3": (3.0,), "T+2: nod": (2.0,), "frame 50": (2.0,), "12 frames": (0.48,), "24f": (0.96,),
    "24 fps: hold for 36 frames": (1.5,), "frames 25 to 50": (1.0, 2.0), "3 secs": (3.0,), "4 sconds": (4.0,),
    "5 secnods": (5.0,), "for tow seconds": (2.0,), "a quarter of a second": (0.25,), "three quarters of a second": (0.75,),
    "three tenths of a second": (0.3,), "1/2 second": (0.5,), "1½ seconds": (1.5,), "point five seconds": (0.5,),
    "twenty-five seconds": (25.0,), "one second's pause": (1.0,), "two seconds' hold": (2.0,), "from .5 to 2.5": (0.5, 2.5),
    "@ 1.2s": (1.2,), "nod, hold 2, then shake": (2.0,), "a second later she nods": (1.0,), "SMILE AT 3 SECONDS": (3.0,),
    "between 1 and 3 seconds": (1.0, 3.0), "in the middle of a 6 s clip, so at 3": (6.0, 3.0), "at the third second": (3.0,),
    "from second two to second four": (2.0, 4.0), "in her last second": (1.0,), "smile for 30s": (30.0,),
    "brows rise over 12 frames, hold 24": (0.48, 0.96), "at 00:00:04:12": (4.48,), "two beats": (1.2,)}
SHARES = {
    "30 %": (0.3,), "30%": (0.3,), "fifty percent": (0.5,), "60 per cent": (0.6,), "80procent": (0.8,), "half strength": (0.5,),
    "at 0.3 intensity": (0.3,), "strength 0.4": (0.4,), "7/10": (0.7,), "seven out of ten": (0.7,), "AU12=0.8": (0.8,),
    "smile 0.5": (0.5,), "two thirds intensity": (0.67,), "eyes half closed": (0.5,), "30 and 60 %": (0.3, 0.6),
    "50% right then 50% left": (0.5, 0.5), "lip funnel 70": (0.7,), "from 0.2 to 0.9": (0.2, 0.9), "fear 3/4": (0.75,)}
COUNTS = {
    "three times": (3,), "x3": (3,), "3x": (3,), "x 3": (3,), "AU45 x 6": (6,), "twice": (2,), "thrice": (3,),
    "a couple of times": (2,), "a couple of nods": (2,), "two nods": (2,), "fifteen blinks": (15,), "twenty-five nods": (25,),
    "blink two or three times": (2, 3), "a dozen quick nods": (12,), "half a dozen blinks": (6,), "nod 3. Then smile.": (3,),
    "a pair of blinks": (2,), "chin raises: reps 10": (10,),
    "she shakes her head no 3 times.": (3,), "nod 4x fast; 2x slow": (4, 2)}
TEXT = [
    "turn your head 30 degrees left", "tilt 20° right", "close both eyes", "one eye", "the first nod", "a second nod",
    "for a second time", "the 2nd smile", "a man in his 30s", "a woman, 20 years old", "aged 40", "a 40-year-old", "she is 25",
    "a six-year-old winks", "a mid-30s woman", "the 1980s", "in 1950", "scene 2", "shot 4", "take 3", "cue 1: smile", "camera 2",
    "AU12", "AU1+2", "AUs 1, 2 and 5", "1. smile 2. nod 3. wink", "1) smile 2) nod", "once", "one time", "a single nod", "x1",
    "nod 101 times", "a 50 mm lens", "at 25 fps", "three-quarter view", "seconds later", "raise two eyebrows", "a half-smile",
    "from 9 am", "the left half", "at 3 pm", "a scale from 0 to 100", "high five", "luv u <3", "sad 2 the left",
    "half as strong"]


@pytest.mark.parametrize(("text", "values"), TIMES.items())
def test_times(text: str, values: tuple[float, ...]) -> None:
    found = find_quantities(text)
    assert found.t == pytest.approx(values, abs=1e-9)
    assert not found.p
    assert not found.c


@pytest.mark.parametrize(("text", "values"), SHARES.items())
def test_shares(text: str, values: tuple[float, ...]) -> None:
    found = find_quantities(text)
    assert found.p == pytest.approx(values, abs=1e-9)
    assert not found.t
    assert not found.c


@pytest.mark.parametrize(("text", "values"), COUNTS.items())
def test_counts(text: str, values: tuple[int, ...]) -> None:
    found = find_quantities(text)
    assert found.c == values
    assert not found.t
    assert not found.p


@pytest.mark.parametrize("text", TEXT)
def test_other_numbers_stay_text(text: str) -> None:
    assert find_quantities(text).text == text


def test_a_mark_replaces_the_whole_quantity() -> None:
    assert shown("Smile for 2 seconds, then nod three times at 30 %.") == "Smile for <t0>, then nod <c0> at <p0>."
    assert shown("0-2s: two nods; 2-4s: 5 blinks") == "<t0>-<t1>: <c0> nods; <t2>-<t3>: <c1> blinks"
    assert shown("a two-second pause, a 1.5-second hold") == "a <t0> pause, a <t1> hold"


def test_marks_are_private_characters_in_order() -> None:
    marks = [mark(kind, i) for kind in SLOTS for i in range(SLOTS[kind])]
    assert marks == [chr(0xE000 + i) for i in range(26)]


def test_private_characters_of_the_user_are_removed() -> None:
    found = find_quantities("no\ue000d twice\uf8ff")
    assert found.text == f"nod {mark('c', 0)}"
    assert found.c == (2,)


def test_quantities_beyond_the_slots_stay_text() -> None:
    found = find_quantities(", ".join(f"nod {i} times" for i in range(2, 13)))
    assert found.c == tuple(range(2, 2 + SLOTS["c"]))
    assert found.text.endswith("nod 10 times, nod 11 times, nod 12 times")


def test_every_quantity_is_used_once() -> None:
    text = "At 2 s, three nods; at 4.5 s a smile of 40 % for half a second, and a second later two blinks."
    found = find_quantities(text)
    marks = [c for c in found.text if c in NAMES]
    assert len(marks) == len(set(marks)) == len(found.t) + len(found.p) + len(found.c)
    assert found.t == (2.0, 4.5, 0.5, 1.0)


@pytest.mark.parametrize(("text", "counts", "times"), [
    ("Blinks every 4 seconds for 12 seconds", (3,), (12.0,)), ("he nods every two seconds", (3,), (6.0,)),
    ("blink once every second", (3,), (3.0,)), ("nod every half second for 3 s", (6,), (3.0,)),
    ("nod every 2 s in an 8 s clip", (), (2.0, 8.0))])
def test_a_period_is_a_count(text: str, counts: tuple[int, ...], times: tuple[float, ...]) -> None:
    found = find_quantities(text)
    assert (found.c, found.t) == (counts, times)
