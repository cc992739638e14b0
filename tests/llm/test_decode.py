"""Sequences of several callers are written together, and each is what it would be alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from facelm.llm.decode import Decoder, Row, ScriptRow, TorchDecoder
from facelm.llm.generate import MotionLM, Sampling
from facelm.llm.grammar.script_tokens import Grammar, Quantities
from facelm.llm.prompts import Turn
from llm_tiny import random_motion, tiny_model, tiny_window
from test_llm_model import stir

TEXTS = ["smile", "nod", "frown xyz what slowly", "turn " * 12, "a b c d e", "smile then nod " * 6]
WILD = Sampling(1.5, 1.0)


@pytest.fixture
def lm() -> MotionLM:
    return MotionLM(stir(tiny_model(seed=3)), batch_size=8)


def waited(lm: MotionLM, steps: int) -> None:
    """Until the decoder has written some tokens of what it is at."""
    ends = time.monotonic() + 30
    while lm.decoder.steps < steps:
        assert time.monotonic() < ends
        time.sleep(0.0005)


def test_what_threads_ask_for_is_what_each_would_get_alone(lm) -> None:
    """Readings, motions and words at once, of which some join while others are being written."""
    rng = np.random.default_rng(0)
    windows, motions = [tiny_window(rng, n) for n in (3, 16, 9)], [random_motion(rng) for _ in range(3)]
    asked = [lambda t=t: lm.read([t], [Quantities()], WILD)[0] for t in TEXTS]
    asked += [lambda w=w: lm.perform_windows([w], [None], [(4, 2)], WILD)[0].tolist() for w in windows]
    asked += [lambda m=m: lm.describe([m], 1.0, seed=5)[0] for m in motions]
    alone = [ask() for ask in asked]
    before = lm.decoder.steps, lm.decoder.tokens
    with ThreadPoolExecutor(len(asked)) as pool:
        beside = list(pool.map(lambda ask: ask(), asked * 2))
    for one, other in zip(alone * 2, beside, strict=True):
        if hasattr(one, "nats"):
            assert one.script == other.script and one.nats == pytest.approx(other.nats, abs=1e-4)
        else:
            assert one == other
    assert lm.decoder.tokens - before[1] > 1.5 * (lm.decoder.steps - before[0]), "they were written side by side"


def test_a_row_chooses_once_a_step(lm) -> None:
    """Also one whose token changes what the next is chosen from: words after "unknown"."""
    taken: list[tuple[int, int, str]] = []
    original = ScriptRow.take

    def noting(self: ScriptRow, logits: np.ndarray) -> int | None:
        taken.append((id(self), lm.decoder.steps, self.kind))
        return original(self, logits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptRow, "take", noting)
        for seed in range(8):
            lm.read(TEXTS, [Quantities()] * len(TEXTS), Sampling(3.0, 1.0, seed))
    assert {kind for *_, kind in taken} == {"script", "text"}
    assert len({(row, step) for row, step, _ in taken}) == len(taken)


def test_who_comes_later_joins_and_does_not_wait_for_the_end(lm) -> None:
    long = threading.Thread(target=lambda: lm.perform_windows([tiny_window(np.random.default_rng(1), 64)] * 2, [None] * 2,
                                                              [(0, 0), (0, 1)], WILD))
    gates, original = [], Decoder._step

    def slowly(self: Decoder) -> None:
        gates.append(len(self._rows))
        time.sleep(0.002)
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Decoder, "_step", slowly)
        long.start()
        waited(lm, 3)
        lm.read(["smile"], [Quantities()])
        assert long.is_alive(), "the short one is done while the long ones go on"
        long.join(30)
    assert 3 in gates and gates[0] == 0
    assert lm.decoder._cache is None and not lm.decoder._rows, "nothing is kept of what has ended"


def test_columns_that_nobody_needs_are_cut_off(lm) -> None:
    """With callers that come one after another for ever, the cache does not grow for ever."""
    widths, original = [], TorchDecoder._admit

    def noting(self: TorchDecoder, new: list[Row]) -> None:
        original(self, new)
        widths.append(self._cache.seen if self._cache else 0)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(TorchDecoder, "_admit", noting)
        list(pool.map(lambda k: lm.perform_windows([tiny_window(np.random.default_rng(k), 12)], [None], [(k, 0)], WILD),
                      range(40)))
    assert sum(widths) and max(widths) < 400, "of 40 sequences of 60 to 120 columns"


def test_a_fault_is_its_callers_own_and_nobody_waits_for_ever(lm) -> None:
    class Broken(ScriptRow):
        def take(self, logits: np.ndarray) -> int | None:
            raise ZeroDivisionError("a rule is broken")

    before = lm.read(["smile"], [Quantities()])[0]
    line = lm.template.encode([Turn("smile")]).ids
    with pytest.raises(ZeroDivisionError, match="a rule is broken"):
        lm.decoder.write([Broken(line, lm.model, Grammar(), WILD, (0, 0))])
    assert lm.read(["smile"], [Quantities()])[0] == before
