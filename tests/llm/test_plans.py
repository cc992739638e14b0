"""Plans: written out, as tokens, and the grammar that binds them."""

import numpy as np
import pytest
from facelm.data_gen.text.quantities import find_quantities
from facelm.face.facs.script_text import read_script
from facelm.llm.grammar.plans import SLOTS, PlanGrammar, Step, context, parse_plan, plan_text, read_plan, write_plan
from facelm.llm.grammar.script_tokens import CLOSE, COMMANDS, Quantities, ScriptTokens

SAID = [
    ("bit more of a smile", "stronger smile bit"), ("the second nod at 2.5 s", "starts nod#2 2.5s"),
    ("more than two nods?", "ask-count nod more 2"),
    ("add a wink after the smile and drop the shake", "add-after smile: wink left; remove shake"),
    ("mouth at 2 s", "ask-list mouth at 2s"), ("a smile from 1 to 3 seconds?", "ask-whether smile between 1s 3s"),
    ("undo, and how many nods?", "undo; ask-count nod"), ("smile and nod at 40%", "strength smile, nod 40%"),
    ("everything 40% weaker", "weaker all 40%"), ("which smile is longer", "ask-compare smile#1, smile#2 length"),
    ("no slight smile, is there", "ask-whether smile slight not"), ("2 s longer", "length-longer 2s"),
    ("make it 2 s longer", "longer nod#last 2s"),
    ("hold it for 3 s", "hold smile 3s"), ("nod twice then", "count nod 2"), ("stretch it by 2", "length-longer 2s"),
    ("then she winks twice while smiling", "add-end: wink left x2; with smile"), ("from the very start", "starts smile 0s"),
    ("blinks between 0 and 3 s", "ask-count blink between 0s 3s"), ("smile, nod, together", "together smile, nod")]


def quantities(text: str) -> Quantities:
    marked = find_quantities(text)
    return Quantities(marked.t, marked.p, marked.c)


@pytest.mark.parametrize(("line", "plan"), SAID, ids=[p for _, p in SAID])
def test_a_plan_survives_as_text_and_as_tokens(line, plan):
    steps = parse_plan(plan)
    assert parse_plan(plan_text(steps)) == steps
    items = write_plan(steps, quantities(line))
    assert read_plan(items, quantities(line)) == steps
    assert set(items) <= set(ScriptTokens.default().names)


def test_every_command_is_a_token_and_has_its_arguments():
    assert {c[1:] for c in COMMANDS} == set(SLOTS)


@pytest.mark.parametrize(("plan", "said"), [
    ("wiggle smile", "'wiggle smile' is no command"), ("stronger grin", "'grin' in 'stronger grin'"),
    ("add-end", "needs a script"),
    ("remove smile 3s", "have no place"), ("starts smile", "may not follow|missing at the end"),
    ("starts smile 9s", "9 is no quantity")])
def test_what_is_no_plan_is_said_in_one_line(plan, said):
    with pytest.raises(ValueError, match=said) as refused:
        write_plan(parse_plan(plan), Quantities((2.0,)))
    assert "\n" not in str(refused.value)


def test_what_the_grammar_allows_is_always_a_plan_that_reads_and_writes():
    rng = np.random.default_rng(0)
    values = Quantities((1.0, 2.5), (0.4,), (3.0,))
    for _ in range(400):
        state, items = PlanGrammar(frozenset(values.marks())), []
        while len(items) < 60:
            options = sorted(state.allowed())
            assert options, items
            if CLOSE in options and rng.random() < 0.3:
                break
            token = options[int(rng.integers(len(options)))]
            if token == CLOSE:
                break
            state, items = state.take(token), [*items, token]
        if CLOSE in state.allowed():
            steps = read_plan(items, values)
            assert all(isinstance(s, Step) and s.do in SLOTS for s in steps)
            assert sum(i.startswith("!") for i in items) == len(steps)


def test_a_command_that_needs_a_time_is_only_possible_where_the_line_says_one():
    assert "!lasts" not in PlanGrammar().allowed()
    assert {"!lasts", "!stronger"} <= PlanGrammar(frozenset({"t0"})).allowed()
    with pytest.raises(ValueError, match="may not follow"):
        PlanGrammar().take("!stronger").take("!undo")


def test_the_clip_beside_a_line_is_told_without_times():
    script = read_script("smile strong at 1 s for 2 s; nod x2; with wink left; 8 s")
    assert context(script) == ["@smile", "=strong", "@nod", "x2", "with", "@wink", "left"]
