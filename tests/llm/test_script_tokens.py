"""Scripts as tokens: writing and reading are inverse, and whatever the grammar allows is a valid script."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.asked import sample
from facelm.data_gen.text.quantities import find_quantities
from facelm.face.facs.script import BRIEF, LONG, SLOTS, STRENGTHS, Cue, Never, Script, mark
from facelm.face.facs.script_text import read_script
from facelm.face.facs.vocabulary import DIRECTIONS, NAMES
from facelm.llm.grammar.script_tokens import (
    CLOSE,
    MAX_COUNT,
    MAX_CUES,
    Grammar,
    Item,
    Quantities,
    ScriptTokens,
    default_tokens,
    mark_pattern,
    read,
    slot_of,
    write,
)

TIMES = ("start", "end", "pause", "seconds", "onset", "hold", "offset")


def quantities_of(script: Script) -> Quantities | None:
    """All that a script says in numbers, as if its text had said it; None when no text has so many."""
    t = [v for c in script.cues for n in TIMES if (v := getattr(c, n)) is not None]
    t += [script.seconds] if script.seconds is not None else []
    p = [c.strength for c in script.cues if c.strength is not None and c.strength not in STRENGTHS.values()]
    c = [float(c.count) for c in script.cues if c.count is not None]
    found = Quantities(*(tuple(dict.fromkeys(v)) for v in (t, p, c)))
    return found if all(len(getattr(found, k)) <= SLOTS[k] for k in SLOTS) else None


def test_random_scripts_are_read_as_they_were_written() -> None:
    names, seen = ScriptTokens.default(), 0
    for seed in range(400):
        script = sample(np.random.default_rng(seed))
        known = quantities_of(script)
        if known is None or any(c.speed not in (None, 0.6, 1.6) for c in script.cues):
            continue
        items = write(script, known)
        assert read(items, known) == script, script
        names.rows([i for i in items if isinstance(i, str)])
        seen += 1
    assert seen > 200


@pytest.mark.parametrize("line", [
    "", "smile", "turn left 30% x3 slow at 2 s for 1.5 s; with nod x2 fast; into sadness slight held", "8 s; still",
    "pause 0.6 s smile right; never blink; never head; never brow_lower left", "unknown moonwalk; unknown the Tango",
    "smile at 0 s until 3 s; wink left hold 3 s onset 0.5 s offset 0.7 s", "smile x12; nod x40"])
def test_what_people_type_is_read_as_it_was_written(line: str) -> None:
    script = read_script(line)
    known = quantities_of(script)
    assert known is not None and read(write(script, known), known) == script


def test_a_number_that_the_text_does_not_say_is_no_training_example() -> None:
    for line, words in (("smile for 2 s", "for of smile is 2"), ("7 s; smile", "length is 7"), ("smile 33%", "is 0.33"),
                        ("nod x40", "40 times"), ("nod speed 1.3", "speed of nod is 1.3")):
        with pytest.raises(ValueError, match=words):
            write(read_script(line), Quantities(t=(1.0,), p=(0.5,), c=(3,)))
    assert write(read_script("nod x3"), Quantities()) == ["@nod", "x3"]
    assert write(read_script("nod x3"), Quantities(c=(3,))) == ["@nod", "c0"], "the text's own number is copied"
    assert write(Script((Cue("smile", seconds=BRIEF), Cue("nod", pause=LONG))), Quantities()) == [
        "@smile", "for", "brief", "@nod", "pause", "long"]


def test_equal_numbers_have_a_mark_each() -> None:
    script = read_script("smile for 2 s; nod for 2 s; blink for 2 s")
    items = write(script, Quantities(t=(2.0, 5.0, 2.0)))
    assert [i for i in items if i[0] == "t" and len(i) == 2] == ["t0", "t2", "t2"]


# -- the grammar ------------------------------------------------------------------------
def walk(rng: np.random.Generator, marks: frozenset[str], most: int = 120) -> list[Item]:
    """Any way through what is allowed; it ends when it may, sooner or later."""
    state, items = Grammar(marks), []
    while True:
        allowed = sorted(state.allowed())
        assert allowed
        if CLOSE in allowed and (len(items) > most or rng.random() < 0.05):
            return items
        kinds = sorted({a[:1] for a in allowed if a != CLOSE})  # names are many: each kind of token is as likely
        kind = str(rng.choice(kinds)) if kinds else CLOSE[:1]
        token = str(rng.choice([a for a in allowed if a[:1] == kind and a != CLOSE] or [CLOSE]))
        if token == CLOSE:
            return items
        items.append(token)
        state = state.take(token)
        if token == "unknown":
            items.append(("text", "moonwalk"))


@pytest.mark.parametrize("seed", range(300))
def test_whatever_the_grammar_allows_is_a_valid_script(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {k: tuple(float(v) for v in rng.choice([0.001, 0.3, 0.6, 1.0, 2.5, 40.0, 599.0, 1000.0], rng.integers(0, 4)))
              for k in "tp"}
    known = Quantities(**values, c=tuple(int(v) for v in rng.choice([0, 1, 2, 12, 300], rng.integers(0, 3))))
    items = walk(rng, frozenset(known.marks()))
    script = read(items, known)
    assert Script.from_json(script.to_json()) == script and len(script.cues) <= MAX_CUES
    assert len(script.cues) == sum(isinstance(i, str) and i.startswith("@") for i in items) - items.count("never")
    assert len(set(script.never)) == len(script.never) and script.still == ("still" in items)
    assert list(script.unknown) == [i[1] for i in items if isinstance(i, tuple)]
    assert read_script_again(script) == script.cues


def read_script_again(script: Script) -> tuple[Cue, ...]:
    """The cues by way of the line format, which rounds numbers."""
    from facelm.face.facs.script_text import write_script

    plain = replace(script, never=(), unknown=(), still=False)
    again = read_script(write_script(plain))
    return tuple(b if all(abs((getattr(a, n) or 0) - (getattr(b, n) or 0)) <= 5e-4 for n in TIMES) and a.name == b.name else a
                 for a, b in zip(again.cues, script.cues, strict=True))


def test_what_is_not_allowed_is_refused() -> None:
    for line in (["with"], ["@turn"], ["@smile", "for"], ["@smile", "for", "t0"], ["@nod", "left"], ["@smile", "x2", "=faint"],
                 ["never", "x3"], ["never", "@smile", "never", "@smile"], ["length", "t0"], ["still", "@smile"], ["@xyz"]):
        state = Grammar()
        with pytest.raises(ValueError, match="may not follow in a script here"):
            for token in line:
                state = state.take(token)
            state.take(CLOSE)
    assert Grammar().take("@turn").allowed() == {"left", "right"} and "turn" in DIRECTIONS
    assert Grammar(frozenset({"t0"})).take("length").allowed() == {"t0"}


def test_every_name_and_no_more_can_be_begun_with() -> None:
    assert {a[1:] for a in Grammar().allowed() if a[0] == "@"} == set(NAMES)
    never = Grammar().take("never").allowed()
    assert "@head" in never and {f"@{n}" for n in NAMES} < never
    assert Script(never=(Never("head"),)).never[0].name == "head"


# -- rows and marks ---------------------------------------------------------------------
def test_every_token_has_one_row() -> None:
    tokens = ScriptTokens.default()
    assert tokens.names == tuple(default_tokens()) and len(set(tokens.names)) == len(tokens)
    assert [tokens.names[i] for i in tokens.rows(["@nod", "x3", CLOSE])] == ["@nod", "x3", CLOSE]
    assert tokens.mask({"@nod", CLOSE}).sum() == 2 and not ScriptTokens().mask({"@nod"}).any()
    with pytest.raises(ValueError, match="no '@moonwalk'"):
        tokens.rows(["@smile", "@moonwalk"])
    assert all(f"x{k}" in tokens.at for k in range(1, MAX_COUNT + 1))


def test_marks_are_those_that_the_exact_rules_put_into_texts() -> None:
    assert find_quantities("nod 3 times at 40 % from 1 s until 2 s").text == (
        f"nod {mark('c', 0)} at {mark('p', 0)} from {mark('t', 0)} until {mark('t', 1)}")
    every = [(k, i) for k in SLOTS for i in range(SLOTS[k])]
    assert [slot_of(mark(*m)) for m in every] == [f"{k}{i}" for k, i in every] and len({mark(*m) for m in every}) == len(every)
    text = f"smile {mark('t', 11)} s and {mark('c', 7)}"
    assert mark_pattern().split(text) == ["smile ", mark("t", 11), " s and ", mark("c", 7), ""]
    assert Quantities(t=tuple(range(20))).marks() == {f"t{i}" for i in range(12)}, "no more than there are marks"
