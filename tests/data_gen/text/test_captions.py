"""The words of a script: true, varied, readable back, and held-out phrases kept apart."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.text.captions import REGISTERS, caption, describe
from facelm.data_gen.text.lexicon import (
    EMOTION_ADJECTIVES,
    EMOTION_NOUNS,
    FAMILIES,
    LEXICON,
    PHRASES,
    UNGRADED,
    WORDS,
    emotion_words,
    gerund,
    third,
)
from facelm.data_gen.text.parser import actions_in_text, patterns, text_facts
from facelm.data_gen.text.phrasing import Speaker, Voice, groups
from facelm.data_gen.text.questions import KINDS, questions
from facelm.face.facs.schedule import Event, Schedule, level_of
from facelm.face.facs.vocabulary import ACTIONS, EMOTIONS


def rng_of(*seed: int) -> np.random.Generator:
    return np.random.default_rng(list(seed))


def script_of(*events: Event, seconds: float = 6.0, subject: str = "woman") -> Schedule:
    return Schedule(seconds, events, subject)


SMILE = Event("smile", 0.2, 0.4, 0.6, 0.4, 1.0)
NOD = Event("nod", 2.0, 0.3, 0.6, 0.3, 0.7, 2)
WINK = Event("wink_left", 3.6, 0.1, 0.1, 0.2, 1.0, 1)


# -- lexicon ------------------------------------------------------------------------------
def test_every_action_and_emotion_has_enough_words() -> None:
    assert set(LEXICON) == set(ACTIONS)
    assert set(PHRASES) == set(ACTIONS) | set(EMOTIONS)
    for name in ACTIONS:
        trained = [p for p in PHRASES[name] if not p.held_out]
        assert len(trained) >= 6, name
        assert len({p for p in PHRASES[name] if p.held_out}) >= 2, name
        for level in ("medium",) if name in UNGRADED else ("slight", "medium", "strong"):
            assert [p for p in trained if level in p.levels and p.kind == "verb"], (name, level)
        assert [p for p in PHRASES[name] if "medium" in p.levels and p.kind == "verb" and p.held_out], name
    for name in EMOTION_ADJECTIVES:
        assert len(emotion_words(name)) >= 8, name


def test_held_out_share_of_the_phrases() -> None:
    phrases = [p for name in ACTIONS for p in PHRASES[name]]
    assert 0.14 <= sum(p.held_out for p in phrases) / len(phrases) <= 0.25


def test_no_phrase_belongs_to_two_actions() -> None:
    assert len(patterns()) > 400  # raises when two names share a common form
    assert len(WORDS) == sum(len(f.phrases) for f in FAMILIES)  # nor an emotion word to two families


@pytest.mark.parametrize("name", ACTIONS)
def test_each_phrase_alone_is_read_as_its_action(name: str) -> None:
    for p in PHRASES[name]:
        for verb in (p.head, third(p.head), gerund(p.head)) if p.kind != "noun" else (p.head,):
            text = re.sub(r"\{\w+\}", "her", " ".join((p.part, verb, p.rest)))
            assert actions_in_text(text) == [name], text


@pytest.mark.parametrize(("verb", "s", "ing"), [
    ("smile", "smiles", "smiling"), ("nod", "nods", "nodding"), ("press", "presses", "pressing"),
    ("stretch", "stretches", "stretching"), ("go", "goes", "going"), ("fly", "flies", "flying"),
    ("say", "says", "saying"),
    ("shut", "shuts", "shutting"), ("pout", "pouts", "pouting")])
def test_inflection(verb: str, s: str, ing: str) -> None:
    assert (third(verb), gerund(verb)) == (s, ing)


# -- captions -----------------------------------------------------------------------------
def check_reads_back(script: Schedule, text: str) -> None:
    facts = text_facts(text)
    names = [e.name for e in script.events]
    assert Counter(facts.names) == Counter(names), text
    rank = {e.name: k for k, g in enumerate(groups(script)) for e in g.events}
    ranks = [rank[n] for n in facts.names]
    assert ranks == sorted(ranks), text
    for m in facts.mentions:
        event = next(e for e in script.events if e.name == m.name)
        assert m.level in ("medium", level_of(event.intensity)), (text, m)
        assert m.count in (0, event.cycles), (text, m)


@pytest.mark.parametrize("split", ["train", "test"])
def test_captions_say_what_the_script_does_and_nothing_else(split: str) -> None:
    rng = rng_of(1, len(split))
    for _ in range(500):
        script = sample_script(rng)
        for register in REGISTERS:
            check_reads_back(script, caption(script, rng, register, split))


def test_descriptions_read_back_with_strength_and_count() -> None:
    rng = rng_of(2)
    for _ in range(500):
        script = sample_script(rng)
        for text in (describe(script), describe(script, rng)):
            check_reads_back(script, text)
            for m in text_facts(text).mentions:
                event = next(e for e in script.events if e.name == m.name)
                assert m.name in UNGRADED or m.level == level_of(event.intensity), text
                if event.name in ("nod", "shake"):
                    assert (m.count or 1) == event.cycles, text


def test_description_has_one_form() -> None:
    script = script_of(SMILE, NOD, Event("gaze_left", 2.0, 0.1, 0.8, 0.1, 0.7))
    assert describe(script) == "Smiles broadly, then nods twice while looking left."
    assert describe(script) == describe(script)


def test_training_texts_never_use_a_held_out_phrase() -> None:
    def keys(held: bool) -> set[str]:
        texts = set()
        for name in ACTIONS:
            for p in PHRASES[name]:
                if p.held_out == held and p.kind == "verb":
                    texts.add(re.sub(r"\{p\}", "the", f"{third(p.head)} {p.rest}".strip()))
        return texts

    held = keys(True)
    assert not held & keys(False)
    words = {w.partition("@")[0][1:] for table in (EMOTION_ADJECTIVES, EMOTION_NOUNS)
             for ws in table.values() for w in ws if w.startswith("*")}
    words |= {"scowl\\w*", "beam\\w*", "gape\\w*", "subsequently"}
    pattern = re.compile(r"\b(" + "|".join(sorted(words)) + r")\b", re.I)
    rng, used = rng_of(3), 0
    for _ in range(1500):
        script = sample_script(rng)
        for split in ("train", "val"):
            assert not pattern.search(text := caption(script, rng, None, split)), text
        text = describe(script, rng)
        assert not pattern.search(text), text
        used += bool(pattern.search(caption(script, rng, None, "test")))
    assert used > 30


def test_captions_are_short_varied_and_reproducible() -> None:
    rng = rng_of(4)
    scripts = [sample_script(rng) for _ in range(300)]
    texts = [caption(s, rng) for s in scripts]
    assert np.mean([len(t.split()) for t in texts]) < 14
    assert len({caption(scripts[0], rng_of(5, i)) for i in range(200)}) > 60
    first, second = ([caption(s, rng_of(6, i)) for i, s in enumerate(scripts)] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("subject", "wrong"), [("woman", r"\b(he|his|him|man)\b"), ("man", r"\b(she|her|woman)\b"),
                                                ("person", r"\b(she|her|he|his|him|man|woman)\b")])
def test_pronouns_follow_the_subject(subject: str, wrong: str) -> None:
    rng = rng_of(7)
    for _ in range(200):
        text = caption(script_of(SMILE, NOD, subject=subject), rng)
        assert not re.search(wrong, text.lower()), text


def test_sides_are_the_subjects_own() -> None:
    rng = rng_of(8)
    for _ in range(200):
        text = caption(script_of(WINK), rng, "plain")
        assert "left" in text and "right" not in text


def test_transition_between_emotions_can_be_one_phrase() -> None:
    script = script_of(Event("anger", 0.2, 0.6, 0.6, 0.6, 0.7), Event("happiness", 1.4, 0.6, 0.6, 0.5, 0.7))
    texts = {caption(script, rng_of(9, i), "command") for i in range(200)}
    assert any("from" in t for t in texts)
    assert all(actions_in_text(t) == ["anger", "happiness"] for t in texts)


def test_neutral_script_and_neutral_event_name_nothing() -> None:
    rng = rng_of(10)
    for script in (script_of(), script_of(Event("neutral", 0.2, 0.3, 0.3, 0.0, 0.7))):
        for register in REGISTERS:
            text = caption(script, rng, register)
            assert text and actions_in_text(text) == []


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="split"):
        caption(script_of(SMILE), rng_of(0), split="dev")
    with pytest.raises(ValueError, match="register"):
        caption(script_of(SMILE), rng_of(0), register="poem")
    with pytest.raises(ValueError, match="split"):
        questions(script_of(SMILE), None, rng_of(0), split="dev")


def test_plural_subject_agrees_with_its_verb() -> None:
    speaker = Speaker(rng_of(0), Voice("They", "they", "their", True, True), canonical=1)
    assert speaker.clause(SMILE, "third", plural=True).text == "smile broadly"
    assert speaker.clause(SMILE, "third").text == "smiles broadly"


# -- reading ------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "names"), [
    ("Turn this face from anger to happiness", ["anger", "happiness"]),
    ("smile, then nod twice while looking left", ["smile", "nod", "gaze_left"]),
    ("She does not blink, but winks with her left eye.", ["wink_left"]),
    ("raise your eyebrows high without smiling", ["brow_raise"]),
    ("AU6+12 then left AU46, AD85 x3", ["squint", "smile", "wink_left", "nod"]),
    ("AU1+2+4", ["brow_raise", "brow_lower"]),
    ("He nods after smiling.", ["smile", "nod"]),
    ("After smiling, he nods.", ["smile", "nod"]),
    ("the man frowned and looked up at the sky", ["brow_lower", "gaze_up"]),
    ("Frowns with the mouth", ["lip_corner_depress"]),
    ("Slightly raised inner eyebrows and a wide open mouth", ["inner_brow_raise", "mouth_open"]),
    ("Her face is neutral.", []),
    ("", []),
])
def test_texts_by_hand(text: str, names: list[str]) -> None:
    assert actions_in_text(text) == names


def test_groups_levels_and_counts_are_read() -> None:
    facts = text_facts("Smiles slightly while looking left, then shakes the head strongly three times.")
    assert facts.groups == (("smile", "gaze_left"), ("shake",))
    assert [(m.level, m.count) for m in facts.mentions] == [("slight", 0), ("medium", 0), ("strong", 3)]


# -- questions ----------------------------------------------------------------------------
def test_answers_are_true() -> None:
    rng, seen = rng_of(11), Counter()
    for i in range(400):
        script = sample_script(rng)
        facts = [{"name": e.name, "onset": e.start + 0.02, "apex": e.apex, "offset": e.end(script.seconds)}
                 for e in script.events if not e.is_emotion]
        names = {e.name for e in script.events}
        asked = questions(script, facts if i % 2 else None, rng, 8, "test" if i % 3 else "train")
        assert len({q.question for q in asked}) == len(asked) >= 3
        for q in asked:
            seen[q.kind] += 1
            mentioned = set(actions_in_text(q.question))
            assert len(q.answer.split()) <= (30 if q.kind == "what" else 16), q
            if q.kind == "present":
                assert q.answer == "Yes." and mentioned <= names and len(mentioned) == 1, q
            elif q.kind == "absent":
                assert q.answer == "No." and len(mentioned) == 1, q
                assert not mentioned & (names | script.allowed_actions()), q
            elif q.kind == "what":
                assert Counter(actions_in_text(q.answer)) == Counter(e.name for e in script.events), q
            elif q.kind == "which_side":
                side = next(s for s in ("left", "right", "up", "down") if s in q.answer.lower())
                assert any(n.endswith(side) for n in names), q
            elif q.kind == "when" and q.answer.startswith(("At", "From")):
                times = [t for e in script.events for t in (e.start, e.start + 0.02, e.apex, e.end(script.seconds))]
                assert all(min(abs(float(x) - t) for t in times) <= 0.051 for x in re.findall(r"\d+\.\d", q.answer)), q
            elif q.kind == "how_often":
                event = next(e for e in script.events if e.name in mentioned)
                assert text_facts(f"nods {q.answer}").mentions[0].count == event.cycles, q
    assert set(seen) == set(KINDS)
    assert 0.6 < seen["present"] / seen["absent"] < 1.6


def test_time_answers_come_from_the_measurement() -> None:
    facts = [{"name": "smile", "onset": 0.31, "apex": 0.74, "offset": 1.42, "intensity": 1.0}]
    asked = [q for i in range(60) for q in questions(script_of(SMILE), facts, rng_of(12, i), 6)]
    answers = {q.answer for q in asked if q.kind == "when"}
    assert answers == {"At 0.3 s.", "At 0.7 s.", "At 1.4 s.", "From 0.3 to 1.4 s."}


def test_no_question_whose_answer_is_open() -> None:
    turns = script_of(Event("turn_left", 0.2, 0.4, 0.4, 0.4), Event("turn_right", 2.0, 0.4, 0.4, 0.4))
    for i in range(50):
        assert all(q.kind != "which_side" for q in questions(turns, None, rng_of(13, i), 8))
    # a count that was not measured as commanded is not asked for
    facts = [{"name": "nod", "onset": 2.0, "apex": 2.2, "offset": 3.2, "intensity": 0.7, "cycles": 3}]
    for i in range(50):
        assert all(q.kind != "how_often" for q in questions(script_of(NOD), facts, rng_of(14, i), 8))


def test_questions_are_reproducible_and_none_is_allowed() -> None:
    script = script_of(SMILE, NOD)
    assert questions(script, None, rng_of(15), 6) == questions(script, None, rng_of(15), 6)
    assert questions(script, None, rng_of(15), 0) == []
    with pytest.raises(ValueError, match="n is -1"):
        questions(script, None, rng_of(15), -1)


def test_the_end_of_repeated_winks_is_that_of_the_last() -> None:
    script = script_of(Event("wink_left", 0.2, 0.1, 0.8, 0.2, 1.0, 2))
    facts = [{"name": "wink_left", "onset": t, "apex": t + 0.1, "offset": t + 0.3} for t in (0.2, 1.0)]
    ends = {q.answer for i in range(80) for q in questions(script, facts, rng_of(16, i), 8)
            if q.kind == "when" and re.search(r"\b(end|over)\b", q.question)}
    assert ends == {"At 1.3 s."}


def test_one_fact_is_not_asked_for_twice() -> None:
    for i in range(40):
        asked = questions(script_of(SMILE, NOD, WINK), None, rng_of(17, i), 6)
        assert len(asked) == 6
        present = [actions_in_text(q.question)[0] for q in asked if q.kind == "present"]
        assert len(present) == len(set(present))
        assert len([q for q in asked if q.kind == "absent"]) <= 3
