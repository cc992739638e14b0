"""The prompt suite: balanced descriptions of faces for text-to-video, with what they ask for.

Candidate ``i`` of a seed depends on nothing but the configuration and ``(seed, i)``; a suite is the
candidates in order without repetitions, so a longer suite begins with the shorter one. In the balanced
mode every factor runs through shuffled blocks in which each of its values occurs once (a Latin-hypercube
design: McKay, Beckman & Conover, Technometrics 21(2), 1979, https://doi.org/10.2307/1268522), so
marginals are even at any length; a value that would contradict what is settled is drawn again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...common.progress import Progress, silent
from ...face.facs.vocabulary import ACTION
from ..text.lexicon import NONE, WORDS, WORDS_OF
from .dedup import Deduplicator
from .factors import DRAWN, FACIAL, KNOWN, LINKED, Attributes, admissible, attributes_of, emotion_of_word
from .files import Prompt, read_prompts, write_prompts
from .script import script_for
from .text import word_prompt

_BLOCK = 24
PATIENCE = 20_000
"""Candidates in a row without a new prompt after which a design counts as exhausted."""


def _repeat(values: tuple[str, ...], **more: int) -> tuple[str, ...]:
    return tuple(v for v in values for _ in range(more.get(v, 1)))


_MOUTH = tuple(a for a in FACIAL if ACTION[a].region in ("mouth", "jaw"))


@dataclass(frozen=True, config=SETTINGS)
class PromptConfig:
    """Which values each factor has; a value that is listed twice is drawn twice as often."""

    mode: Literal["balanced", "sampled", "factorial"] = "balanced"
    """balanced: even blocks of every factor; sampled: independent draws; factorial: all combinations of ``cross``."""
    cross: tuple[str, ...] = ()
    """Factors that are fully crossed in the factorial mode; the others are balanced."""
    age: tuple[str, ...] = KNOWN["age"]
    gender: tuple[str, ...] = ("woman", "man", "woman", "man", "person")
    skin: tuple[str, ...] = KNOWN["skin"]
    beard: tuple[str, ...] = _repeat(KNOWN["beard"], none=2)
    hair: tuple[str, ...] = KNOWN["hair"]
    glasses: tuple[str, ...] = _repeat(KNOWN["glasses"], none=3)
    emotion: tuple[str, ...] = _repeat(KNOWN["emotion"], other=2, none=3)
    """The eight, ``other`` (words outside them) and ``none`` (facial actions only)."""
    word: tuple[str, ...] = tuple(WORDS)
    """The emotion words that may be used."""
    intensity: tuple[str, ...] = KNOWN["intensity"]
    speaking: tuple[str, ...] = KNOWN["speaking"]
    action: tuple[str, ...] = _repeat(KNOWN["action"], none=10, **dict.fromkeys(_MOUTH, 3))
    """Mouth and jaw actions fit fewer prompts (no pucker while speaking) and are drawn more often where they fit."""
    action2: tuple[str, ...] = _repeat(KNOWN["action2"], none=44)
    head: tuple[str, ...] = _repeat(KNOWN["head"], none=6)
    gaze: tuple[str, ...] = _repeat(KNOWN["gaze"], none=6)
    framing: tuple[str, ...] = KNOWN["framing"]
    light: tuple[str, ...] = KNOWN["light"]
    background: tuple[str, ...] = KNOWN["background"]
    camera_note: bool = True
    """End most prompts with a remark that the camera stands still and one face is in view."""
    near: Annotated[float, Field(ge=0.5, le=2.0)] = 0.9
    """Prompts whose words overlap (Jaccard) at least this much are duplicates; above 1 switches it off."""

    def __post_init__(self) -> None:
        for name in DRAWN:
            values = getattr(self, name)
            wrong = [v for v in values if v not in KNOWN[name]]
            if wrong or not values:
                raise ValueError(f"{name} has {wrong[0] if wrong else 'no value'!r}; allowed: {', '.join(KNOWN[name])}")
        if any(f not in DRAWN for f in self.cross) or len(set(self.cross)) != len(self.cross):
            raise ValueError(f"cross is {list(self.cross)}; allowed: different ones of {', '.join(DRAWN)}")
        if (self.mode == "factorial") != bool(self.cross):
            raise ValueError(f"mode is {self.mode} and cross is {list(self.cross)}; a factorial design needs factors to cross")
        for e in set(self.emotion) - {NONE}:
            if not any(WORDS[w].emotion == e for w in self.word):
                raise ValueError(f"emotion {e} has none of its words in word; add one of {', '.join(WORDS_OF[e][:5])}, ...")


# -- drawing ------------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def _shuffled(seed: int, stream: int, block: int, size: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng([seed, 1, stream, block]).permutation(size).tolist())


class Design:
    """Draws the attributes of candidate prompts; ``seed`` is that of the suite, 0 to 2**31 - 1."""

    def __init__(self, config: PromptConfig, seed: int = 0) -> None:
        if not 0 <= seed < 2**31:
            raise ValueError(f"seed is {seed}; allowed: 0 to {2**31 - 1}")
        self.config, self.seed = config, seed
        # a block of few values is cheaper to shuffle when it holds each of them several times
        self.slots: dict[str, tuple[str, ...]] = {
            f: getattr(config, f) * -(-_BLOCK // len(getattr(config, f))) for f in DRAWN}
        self._allowed: dict[tuple[str | None, ...], tuple[str, ...]] = {}
        if NONE in config.emotion:
            self.slots["word"] = (*self.slots["word"], NONE)
        self._words = {e: (NONE,) if e == NONE else tuple(w for w in config.word if WORDS[w].emotion == e)
                       for e in set(config.emotion)}
        first = tuple(f for f in DRAWN if f in config.cross)
        self.order = (*first, *(f for f in DRAWN if f not in first))  # the factors as they are settled
        self._stream = {f: k for k, f in enumerate((*DRAWN, "cross", *sorted(self._words)))}
        self.plan: list[dict[str, str]] = [{}] if first else []
        for factor in first:
            values = dict.fromkeys(self.slots[factor])
            self.plan = [{**c, factor: v} for c in self.plan for v in values if admissible(factor, v, c)]
            if len(self.plan) > 2_000_000:
                raise ValueError(f"cross: {len(self.plan):,} combinations up to {factor}; allowed: 2,000,000; cross fewer")
        if first and not self.plan:
            raise ValueError(f"no combination of {', '.join(config.cross)} is free of contradictions; widen their values")

    def _turn(self, name: str, size: int, at: int) -> int:
        """What stands at position ``at`` of an endless row of shuffled blocks of ``range(size)``."""
        block, place = divmod(at, size)
        return _shuffled(self.seed, self._stream[name], block, size)[place]

    def _word(self, index: int, emotion: str) -> str:
        """Every word of an emotion equally often: its n-th use takes the n-th word of shuffled blocks."""
        slots, words = self.slots["emotion"], self._words[emotion]
        block, place = divmod(index, len(slots))
        order = _shuffled(self.seed, self._stream["emotion"], block, len(slots))
        here = sum(slots[k] == emotion for k in order[:place])
        return words[self._turn(emotion, len(words), block * slots.count(emotion) + here)]

    def values(self, index: int, rng: np.random.Generator | None = None) -> dict[str, str]:
        """The factor values of candidate ``index``; ``rng`` is the candidate's own, at its start."""
        rng = rng or np.random.default_rng([self.seed, 2, index])
        settled = dict(self.plan[self._turn("cross", len(self.plan), index)]) if self.plan else {}
        if "word" in settled:
            settled["emotion"] = emotion_of_word(settled["word"])
        for factor in DRAWN:
            if factor not in settled:
                settled[factor] = self._draw(factor, index, settled, rng)
        return settled

    def _slots(self, factor: str, settled: Mapping[str, str]) -> tuple[str, ...]:
        return self._words[settled["emotion"]] if factor == "word" else self.slots[factor]

    def _draw(self, factor: str, index: int, settled: dict[str, str], rng: np.random.Generator) -> str:
        if self.config.mode != "sampled":
            slots = self._slots(factor, settled)
            if factor != "word":
                value = slots[self._turn(factor, len(slots), index)]
            elif {"emotion", "word"} & {*self.config.cross}:
                value = slots[int(rng.integers(len(slots)))]
            else:
                value = self._word(index, settled["emotion"])
            if admissible(factor, value, settled):
                return value
        allowed = self.allowed(factor, settled)
        if not allowed:
            have = ", ".join(f"{k} {v}" for k, v in settled.items() if v != NONE)
            raise ValueError(f"no value of {factor} fits {have}; add values to {factor} (for most factors: none)")
        return allowed[int(rng.integers(len(allowed)))]

    def allowed(self, factor: str, settled: Mapping[str, str]) -> tuple[str, ...]:
        """The slots of ``factor`` that fit what is settled; a value stands there as often as it is drawn."""
        key = (factor, *(settled.get(f) for f in LINKED[factor]))
        if key not in self._allowed:
            if len(self._allowed) >= 200_000:
                self._allowed.clear()
            self._allowed[key] = tuple(v for v in self._slots(factor, settled) if admissible(factor, v, settled))
        return self._allowed[key]

    def candidate(self, index: int) -> Prompt:
        """Prompt number ``index`` before duplicates are taken out."""
        rng = np.random.default_rng([self.seed, 2, index])
        attributes = attributes_of(self.values(index, rng))
        return Prompt(word_prompt(attributes, rng, self.config.camera_note), attributes, f"{self.seed}-{index:08d}")


@dataclasses.dataclass
class Tally:
    """What a run of :func:`sample_prompts` saw."""

    candidates: int = 0
    exact: int = 0
    """Left out: the same words in another order."""
    near: int = 0
    """Left out: almost the same words."""


def iterate_prompts(config: PromptConfig | None = None, seed: int = 0, tally: Tally | None = None) -> Iterator[Prompt]:
    """Prompts without duplicates, as many as the design has.

    Raises:
        ValueError: the design is exhausted (the message says how many prompts it has).
    """
    cfg = config or PromptConfig()
    design, seen, count, last = Design(cfg, seed), Deduplicator(cfg.near), tally or Tally(), -1
    for index in range(2**31):
        prompt = design.candidate(index)
        count.candidates += 1
        found = seen.add(prompt.text)
        count.exact += found == "exact"
        count.near += found == "near"
        if found == "new":
            last = index
            yield prompt
        elif index - last >= PATIENCE:
            raise ValueError(f"only {len(seen):,} different prompts were found in {count.candidates:,} candidates; "
                             "ask for fewer, or give the factors more values")


def sample_prompts(count: int, config: PromptConfig | None = None, seed: int = 0, *, tally: Tally | None = None,
                   progress: Progress = silent) -> list[Prompt]:
    """The first ``count`` prompts of a suite.

    Args:
        count: 1 to 10,000,000.
        config: factors and values; None is the default suite.
        seed: the same seed gives the same prompts.
        tally: filled with the number of candidates and duplicates.

    Raises:
        ValueError: not a positive count, or more than the design holds.
    """
    if not 1 <= count <= 10_000_000:
        raise ValueError(f"count is {count}; allowed: 1 to 10000000")
    out = []
    for done, prompt in enumerate(islice(iterate_prompts(config, seed, tally), count), start=1):
        out.append(prompt)
        if done % 250 == 0 or done == count:
            progress(done, count)
    return out


__all__ = ["Attributes", "Design", "Prompt", "PromptConfig", "Tally", "iterate_prompts", "read_prompts", "sample_prompts",
           "script_for", "write_prompts"]
