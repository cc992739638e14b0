"""Wording of scripts: all that a script says is in its text, and nothing else."""

import re
from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.asked import names, sample
from facelm.data_gen.text.quantities import SLOTS, find_quantities
from facelm.data_gen.text.say import Unsayable, say
from facelm.data_gen.wording.phrases import ASKED, felt, nouns, verbs
from facelm.face.facs.script import SPEEDS, STRENGTHS, Cue, Never, Script
from facelm.face.facs.script_text import read_script, write_script
from facelm.face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, NAMES, PAIRED
from facelm.llm.grammar.script_tokens import Quantities, write

COUNT = 2000


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Script, str]]:
    out = []
    for seed in range(COUNT):
        rng = np.random.default_rng(seed)
        script = sample(rng)
        out.append((script, say(script, rng)))
    return out


def test_every_number_of_a_script_is_a_mark_of_its_text_and_every_mark_is_used(pairs: list[tuple[Script, str]]) -> None:
    for script, text in pairs:
        found = find_quantities(text)
        tokens = write(script, Quantities(found.t, found.p, found.c))
        used = {t for t in tokens if isinstance(t, str) and re.fullmatch(r"[tpc]\d+", t)}
        assert used == {f"{k}{i}" for k in SLOTS for i in range(len(getattr(found, k)))}, (text, write_script(script))


def test_no_stated_thing_is_unsaid(pairs: list[tuple[Script, str]]) -> None:
    for script, text in pairs:
        words = text.lower()
        sides = [c.side for c in script.cues if c.side != "both"]
        said = re.findall(r"\b(left|right)\b", re.sub(r"right at the start", "", words))
        coded = re.findall(r"\ba[ud]\d+[lr]?", words)
        assert len(said) + len(coded) >= len(sides), (text, write_script(script))
        turned = re.findall(r"(?:viewer's|camera|screen) (left|right)", words)
        if not turned and not coded:
            assert sorted(said) == sorted(sides), (text, write_script(script))
        if any(c.speed == SPEEDS["slow"] for c in script.cues):
            assert "slow" in words, (text, write_script(script))
        if any(c.speed == SPEEDS["fast"] for c in script.cues):
            assert re.search("quick|fast|rapid", words), (text, write_script(script))
        if script.never:
            assert re.search(r"\bwithout\b|\bno\b|\bnot\b|don't|never|keep", words), (text, write_script(script))
        if script.still:
            assert re.search("nothing else|motionless|still|not move", words), (text, write_script(script))
        for unknown in script.unknown:
            assert unknown in words


def test_what_is_not_said_is_not_in_the_text(pairs: list[tuple[Script, str]]) -> None:
    for script, text in pairs:
        words = text.lower()
        if not script.never:
            assert "without" not in words.replace("without a sound", ""), (text, write_script(script))
        if all(c.speed is None for c in script.cues):
            assert not re.search(r"\bslow|\bquick|\brapid|\bfast\b", words), (text, write_script(script))
        if all(c.side == "both" for c in script.cues):
            assert not re.search(r"\bleft\b|\bright\b", words.replace("right at the start", "")), (text, write_script(script))


def test_each_detail_changes_the_text() -> None:
    plain = Script((Cue("nod"),))
    details = {"strength": STRENGTHS["slight"], "count": 4, "speed": SPEEDS["fast"], "start": 2.0, "end": 5.0, "seconds": 2.5,
               "onset": 0.4, "hold": 1.5, "offset": 0.7, "held": True}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        without = say(plain, rng)
        for name, value in details.items():
            text = say(Script((replace(plain.cues[0], **{name: value}),)), rng)
            assert len(text.split()) > 1, (name, text)
            assert text != without


def test_all_names_are_drawn_and_worded(pairs: list[tuple[Script, str]]) -> None:
    drawn = {c.name for s, _ in pairs for c in s.cues}
    assert len(drawn) > 0.97 * len(NAMES)
    assert {n for kind in ("action", "emotion", "feeling", "behaviour") for n in names(kind)} == set(NAMES)
    for name in NAMES:
        if name in EMOTIONS or name in FEELING:
            assert felt(name)[0], name
        else:
            assert verbs(name, name in DIRECTIONS), name
        if name in PAIRED:
            assert verbs(name, True), name


def test_a_phrase_belongs_to_one_name() -> None:
    owners: dict[tuple[str, str], set[str]] = {}
    for name in NAMES:
        if name not in EMOTIONS and name not in FEELING:
            for p in verbs(name, name in DIRECTIONS):
                owners.setdefault((p.head, p.rest), set()).add(name)
            for noun in nouns(name, name in DIRECTIONS):
                owners.setdefault(("", re.sub(r"\{[ad]\} ?", "", noun)), set()).add(name)
    assert not {k: v for k, v in owners.items() if len(v) > 1}
    adjectives: dict[str, set[str]] = {}
    for name in (*EMOTIONS, *FEELING):
        for word in felt(name)[0]:
            adjectives.setdefault(word, set()).add(name)
    assert not {k: v for k, v in adjectives.items() if len(v) > 1}


def test_tables_name_what_exists() -> None:
    assert {*ASKED.counted, *ASKED.states} <= set(BEHAVIOUR)
    assert set(ASKED.actions) <= set(NAMES)
    assert set(ASKED.feeling_nouns.values()) <= set(FEELING)


def test_scripts_are_in_natural_shares(pairs: list[tuple[Script, str]]) -> None:
    sizes = [len(s.cues) for s, _ in pairs]
    assert set(range(8)) >= set(sizes)
    assert all(s.unknown for s, _ in pairs if not s.cues)
    assert sum(n <= 3 for n in sizes) > 0.7 * COUNT
    assert sum(any(c.side != "both" for c in s.cues) for s, _ in pairs) > 0.25 * COUNT
    for field in ("strength", "count", "speed", "start", "end", "seconds", "onset", "hold", "offset", "pause"):
        assert any(getattr(c, field) is not None for s, _ in pairs for c in s.cues), field


def test_scripts_survive_the_line_format(pairs: list[tuple[Script, str]]) -> None:
    for script, _ in pairs[:300]:
        assert read_script(write_script(script)) == script


def test_texts_are_many_and_repeatable(pairs: list[tuple[Script, str]]) -> None:
    assert len({text for _, text in pairs}) > 0.97 * COUNT
    rng = np.random.default_rng(7)
    script = sample(rng)
    assert say(script, rng) == pairs[7][1]
    assert len({say(Script((Cue("nod", count=2), Cue("wink", side="left"))), np.random.default_rng(i)) for i in range(60)}) > 50


def test_order_is_kept_or_said() -> None:
    script = Script((Cue("yawn"), Cue("sneeze")))
    ways = {re.compile(re.sub(r"\\{.\\}", "(.+)", re.escape(way))): re.findall(r"\{(.)\}", way).index("a")
            for way in sorted(ASKED.ordered[2], key=len, reverse=True)}
    for seed in range(200):
        text = say(script, np.random.default_rng(seed)).lower()
        yawn, sneeze = re.search("yawn", text), re.search("sneez|achoo", text)
        assert yawn
        assert sneeze
        told = [m[first + 1] for way, first in ways.items() if (m := way.fullmatch(text.rstrip(".!")))]
        if told and "after that" not in text:
            assert "yawn" in told[0], text
            continue
        turned = text.startswith("before") or bool(re.search(r"\S.* after (?!that)", text))
        assert (yawn.start() < sneeze.start()) != turned, text


def test_viewers_side_is_the_other_one() -> None:
    seen = 0
    for seed in range(400):
        text = say(Script((Cue("turn", side="left"),)), np.random.default_rng(seed)).lower()
        if re.search("viewer|camera|screen", text):
            seen += 1
            assert "right" in text
            assert "left" not in text
        else:
            assert "left" in text or "51" in text
    assert seen > 3


def test_a_speed_without_words_is_refused() -> None:
    with pytest.raises(Unsayable, match="speed"):
        say(Script((Cue("nod", speed=1.3),)), np.random.default_rng(0))


def test_forbidden_things_without_cues() -> None:
    for seed in range(20):
        text = say(Script((), never=(Never("blink"), Never("head"))), np.random.default_rng(seed)).lower()
        assert re.search("blink", text)
        assert "head" in text
