"""The tables of behaviours and feelings: sound, complete, and each word in one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from facelm.data_gen.text.lexicon import EMOTION_ADJECTIVES, LEXICON, gerund, parse_phrase, past_forms, third
from facelm.face.facs.vocabulary import (
    ACTION,
    BEHAVIOUR,
    DIRECTIONS,
    EMOTION,
    EMOTION_ACTIONS,
    EMOTIONS,
    FEELING,
    FEELING_SOURCES,
    PAIRED,
    Behaviour,
    Part,
)

SIDES = ("left", "right")
SEEN = 0.24
"""Least strength that a measurement finds (MeasureConfig.on); a behaviour's required parts are at least so strong."""


def shown(part: Part) -> Iterator[tuple[str, int]]:
    """What a part lets a measurement find: names (with their side, if they have one) and how often at least."""
    if part.strength[0] < SEEN:
        return
    times = max(1, part.count[0])
    sides = SIDES if part.side == "any" else () if part.side == "both" else (part.side,)
    for name in (part.name, *EMOTION_ACTIONS.get(part.name, ())):
        yield name, times
        for side in sides:
            yield f"{name}_{side}" if name in DIRECTIONS else f"{name}.{side}", times


def follows(option: str, behaviour: Behaviour) -> bool:
    """Whether a required name (``NAME*3``) follows from the parts."""
    name, _, count = option.partition("*")
    return sum(n for part in behaviour.parts for found, n in shown(part) if found == name) >= int(count or 1)


def length(part: Part, end: int) -> float:
    return part.at[end] + (part.rise[end] + part.hold[end] + part.fall[end]) * max(1, part.count[end])


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_behaviours_are_sound(name: str) -> None:
    behaviour = BEHAVIOUR[name]
    assert behaviour.words and behaviour.parts and behaviour.source
    for part in behaviour.parts:
        sideless = part.name in DIRECTIONS
        assert part.name in ACTION or part.name in EMOTION or sideless, part.name
        assert part.side != "both" if sideless else part.side == "both" or ACTION[part.name].paired, part
        for low, high in (part.at, part.strength, part.rise, part.hold, part.fall, part.count):
            assert 0 <= low <= high, part
        assert part.strength[0] > 0 and part.strength[1] <= 1, part
        # a movement takes at least two frames at 25 frames a second, and none lasts forever
        assert part.rise[0] >= 0.08 and part.fall[0] >= 0.08, part
        assert length(part, 1) <= 8, part
        assert not part.count[1] or part.name not in EMOTION, part
    assert min(part.at[0] for part in behaviour.parts) <= 0.2, "it begins when its cue does"
    assert behaviour.sided == (name in PAIRED)
    assert not behaviour.sided or any(part.side == "any" for part in behaviour.parts)
    known = {*ACTION, *EMOTION}
    assert set(behaviour.may) <= known, set(behaviour.may) - known
    for group in behaviour.must:
        assert {option.partition("*")[0].partition(".")[0] for option in group} <= known, group


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_what_a_behaviour_must_show_follows_from_its_parts(name: str) -> None:
    behaviour = BEHAVIOUR[name]
    assert behaviour.must
    for group in behaviour.must:
        assert any(follows(option, behaviour) for option in group), f"{group} does not follow from the parts"
    # and the check can fail: nothing follows from no parts
    idle = Behaviour(words=("x",), parts=(Part("gaze_up", (0.1, 0.2), (1, 1), (1, 1), (1, 1)),), must=(), source="x")
    assert not any(follows(option, idle) for group in behaviour.must for option in group)


@pytest.mark.parametrize("name", FEELING)
def test_feelings_are_sound(name: str) -> None:
    feeling = FEELING[name]
    assert feeling.source in FEELING_SOURCES
    for key, strength in feeling.blend.items():
        action, _, side = key.partition(".")
        assert action in ACTION or action in EMOTION, key
        assert not side or side in SIDES and ACTION[action].paired, key
        assert SEEN < strength <= 1, f"{key} at {strength} is not seen"
    assert not {"gaze_left", "gaze_right"} <= set(feeling.blend) and not {"look_up", "look_down"} <= set(feeling.blend)


def test_feelings_look_different_from_each_other() -> None:
    """Where strengths are told apart in quarters, at most three feelings look alike."""
    looks = Counter(frozenset((k, round(4 * v)) for k, v in f.blend.items()) for f in FEELING.values())
    assert max(looks.values()) <= 3
    assert len(looks) >= 0.97 * len(FEELING)


def test_there_are_enough_and_every_source_is_used() -> None:
    assert len(BEHAVIOUR) >= 60
    assert len(FEELING) >= 120
    assert {f.source for f in FEELING.values()} == set(FEELING_SOURCES)


def test_a_name_belongs_to_one_table() -> None:
    plain = {n.removesuffix("_left").removesuffix("_right") for n in ACTION}
    names = Counter([*plain, *EMOTION, *BEHAVIOUR, *FEELING])
    assert [n for n, c in names.items() if c > 1] == []


def test_a_word_of_a_behaviour_belongs_to_it_alone() -> None:
    words = Counter(w.replace("|", " ") for b in BEHAVIOUR.values() for w in (*b.words, *b.nouns))
    assert [w for w, c in words.items() if c > 1] == []
    # "pout" is AU17 in captions, and the behaviour in what is read
    taken = {w.partition("@")[0].replace("|", " ") for entry in LEXICON.values() for w in (*entry.verbs, *entry.nouns)}
    assert set(words) & taken == {"pout"}


def test_a_word_of_a_feeling_belongs_to_it_alone() -> None:
    words = Counter(w for name, f in FEELING.items() for w in (name.replace("_", " "), *f.words))
    assert [w for w, c in words.items() if c > 1] == []
    assert not set(words) & {*EMOTIONS, *BEHAVIOUR, *ACTION}


def test_a_word_for_an_emotion_is_one_of_a_feeling_that_shows_it() -> None:
    meaning = {parse_phrase(w).head: emotion for emotion, found in EMOTION_ADJECTIVES.items() for w in found}
    for name, feeling in FEELING.items():
        shown_by = {key.partition(".")[0] for key in feeling.blend}
        for word in (name.replace("_", " "), *feeling.words):
            if word in meaning:
                emotion = meaning[word]
                allowed = {emotion, *EMOTION_ACTIONS[emotion], *EMOTION[emotion].may_show}
                assert shown_by & allowed, f"{name}: {word} means {emotion}"


def test_the_page_of_behaviours_is_that_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.syspath_prepend(str(root / "scripts"))
    import behaviour_tables

    written = (root / "docs" / "behaviours.md").read_text(encoding="utf-8")
    assert written == behaviour_tables.page(), "run python scripts/behaviour_tables.py"


def test_every_verb_of_a_behaviour_is_inflected_as_english_is() -> None:
    verbs = {w.partition("|")[0] for b in BEHAVIOUR.values() for w in b.words}
    assert {third(v) for v in verbs if v in ("cry", "go", "kiss", "watch")} == {"cries", "goes", "kisses", "watches"}
    # one short vowel between consonants doubles the last one; past forms of irregular verbs are listed
    short = {v for v in verbs if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", v)}
    assert {v: gerund(v) for v in short if gerund(v) != v + v[-1] + "ing"} == {}
    assert [past_forms(v)[0] for v in ("hold", "take", "sing", "throw", "weep")] == ["held", "took", "sang", "threw", "wept"]
    assert not [v for v in verbs if " " in v or "{" in v]
