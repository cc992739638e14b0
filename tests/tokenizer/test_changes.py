from __future__ import annotations

import numpy as np
import pytest
from facelm.tokenizer.changes import ChangeLayout
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def layouts(draw):
    sizes = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=6)))
    return ChangeLayout(sizes, tuple(draw(st.integers(0, n - 1)) for n in sizes), draw(st.integers(1, 8)))


@st.composite
def coded(draw):
    layout = draw(layouts())
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    steps, change = draw(st.integers(1, 60)), draw(st.floats(0, 1))
    rows, current = [], np.array(layout.rest_codes)
    for _ in range(steps):
        flip = rng.random(len(current)) < change
        current = np.where(flip, rng.integers(0, layout.stream_sizes), current)
        rows.append(current)
    return layout, np.array(rows)


@given(coded())
def test_codes_to_symbols_and_back(case):
    layout, codes = case
    symbols = layout.encode(codes)
    assert (layout.decode(symbols) == codes).all()
    assert symbols.min() >= 0 and symbols.max() < layout.n_symbols


@given(layouts(), st.integers(0, 2**31), st.integers(1, 40), st.booleans())
@settings(max_examples=120)
def test_any_walk_through_the_grammar_is_a_canonical_motion_of_the_asked_length(layout, seed, duration, exact):
    rng = np.random.default_rng(seed)
    state, symbols = layout.start(duration) if exact else layout.start(None, duration), []
    for _ in range(10_000):
        options = np.flatnonzero(state.allowed())
        assert len(options), "the grammar is stuck"
        choice = int(rng.choice(options))
        if choice == layout.n_symbols:
            break
        symbols.append(choice)
        state = state.take(choice)
    codes = layout.decode(symbols)
    assert len(codes) == duration if exact else 1 <= len(codes) <= duration
    assert (layout.encode(codes) == symbols).all()


@given(coded())
@settings(max_examples=30)
def test_every_prefix_of_an_encoding_is_allowed(case):
    layout, codes = case
    state = layout.start(len(codes))
    for symbol in layout.encode(codes):
        assert state.allowed()[symbol]
        state = state.advance(int(symbol))
    assert state.may_end and state.allowed()[-1] and state.allowed().sum() == 1


def test_the_grammar_refuses_an_illegal_choice():
    layout = ChangeLayout((5, 7), (2, 3))
    for symbol in (-1, 2, layout.n_symbols):  # outside, the code that is showing, the end
        with pytest.raises(ValueError, match="breaks the motion grammar"):
            layout.start(3).take(symbol)


def test_a_resting_clip_is_only_time():
    layout = ChangeLayout((5, 7), (2, 3))
    rest = np.tile([2, 3], (19, 1))
    assert [int(s) - layout.n_codes + 1 for s in layout.encode(rest)] == [8, 8, 3]


@pytest.mark.parametrize("symbols", [[], [0], [99], [12, 12], [0, 1, 12], [2, 12]])
def test_illegal_lines_are_refused(symbols):
    layout = ChangeLayout((5, 7), (2, 3))  # symbols 0-4, 5-11, then +1 = 12
    with pytest.raises(ValueError):
        layout.decode(symbols)


def test_wrong_layouts_and_codes_are_refused():
    with pytest.raises(ValueError, match="rest code"):
        ChangeLayout((3,), (3,))
    with pytest.raises(ValueError, match="outside"):
        ChangeLayout((3,), (0,)).encode(np.array([[3]]))
    with pytest.raises(ValueError, match="shape"):
        ChangeLayout((3,), (0,)).encode(np.zeros((0, 1), int))
