"""FaceLM: words to face motion and back, with the released or your own weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle
from ..face.facs.measure import Measurement, measure
from ..face.head.model import HeadModel
from ..llm.generate import MotionLM
from ..llm.model import CARD
from ..llm.rerank import best_of
from ..tokenizer.codec import FaceTokenizer

if TYPE_CHECKING:
    from .transition import Transition

MAX_SECONDS = 20.0
MAX_PROMPT = 1000
CANDIDATES = 4
"""Performances sampled for a prompt, of which one is kept."""


def weights_dir(path: str | os.PathLike[str] | None = None) -> Path:
    """The weights folder: the argument, else ``FACELM_WEIGHTS``, else the released ones in the package.

    Raises:
        FileNotFoundError: the folder does not hold a tokenizer and a language model.
    """
    chosen = path or os.environ.get("FACELM_WEIGHTS")
    folder = Path(chosen) if chosen else Path(str(resources.files("facelm") / "weights"))
    for part in ("tokenizer/config.json", f"llm/{CARD}"):
        if not (folder / part).is_file():
            raise FileNotFoundError(
                f"no weights in {folder}: {part} is missing; give a folder that `facelm train` wrote "
                "with --weights DIR or FACELM_WEIGHTS, or reinstall facelm for the released ones")
    return folder


def check_request(prompts: Sequence[str], seconds: float | Sequence[float | None] | None = None, seed: int = 0,
                  temperature: float = 0.5, candidates: int | None = None) -> list[float | None]:
    """Refuse what cannot be performed, before anything is loaded.

    Returns:
        The duration of each prompt.

    Raises:
        ValueError: an empty or very long prompt, another number of durations than prompts, a duration
            outside 0.2 to 20 s, a negative seed or temperature, or candidates outside 1 to 64.
    """
    durations = [seconds] * len(prompts) if seconds is None or isinstance(seconds, (int, float)) else list(seconds)
    if len(durations) != len(prompts):
        raise ValueError(f"{len(durations)} durations for {len(prompts)} prompts; give one for each")
    for prompt in prompts:
        if not prompt.strip():
            raise ValueError('the prompt is empty; write what the face does, e.g. "She smiles, then nods twice."')
        if len(prompt) > MAX_PROMPT:
            raise ValueError(f"the prompt has {len(prompt)} characters; at most {MAX_PROMPT} are read")
    for value in durations:
        if value is not None and not 0.2 <= value <= MAX_SECONDS:
            raise ValueError(f"seconds is {value:g}; allowed: 0.2 to {MAX_SECONDS:g}")
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed: 0 and more")
    if not 0 <= temperature <= 10:
        raise ValueError(f"temperature is {temperature:g}; allowed: 0 to 10")
    if candidates is not None and not 1 <= candidates <= 64:
        raise ValueError(f"candidates is {candidates}; allowed: 1 to 64")
    return durations


def check_clip(clip: FaceSequence, head: HeadModel) -> None:
    """Refuse a clip that the model cannot read, before anything is loaded.

    Raises:
        ValueError: a clip of another head, or longer than 40 s.
    """
    clip.require_head(head.ref)
    if clip.seconds > 2 * MAX_SECONDS:
        raise ValueError(f"the clip is {clip.seconds:.1f} s long; the model reads up to {2 * MAX_SECONDS:g} s: cut it first")


class FaceLM:
    """One loaded agent: tokenizer, language model and head.

    Example:
        >>> lm = FaceLM.from_pretrained()          # doctest: +SKIP
        >>> clip = lm.generate("She smiles, then nods twice.", seed=0)
        >>> lm.describe(clip), lm.measure(clip)
    """

    def __init__(self, tokenizer: FaceTokenizer, lm: MotionLM, head: HeadModel | None = None) -> None:
        self.tokenizer = tokenizer
        self.lm = lm
        self.head = head or HeadModel.default()

    @classmethod
    def from_pretrained(cls, weights: str | os.PathLike[str] | None = None, base: str | None = None) -> FaceLM:
        """Load weights (see :func:`weights_dir`) on a base model (see ``llm/base.py``)."""
        folder = weights_dir(weights)
        tokenizer = FaceTokenizer.from_pretrained(folder / "tokenizer")
        lm = MotionLM.from_pretrained(folder / "llm", base=base)
        if lm.vocabulary.layout != tokenizer.layout:
            raise ValueError(f"the language model in {folder} was trained on another motion tokenizer than the one beside it; "
                             "give a folder whose two parts belong together")
        return cls(tokenizer, lm)

    # -- words to motion ----------------------------------------------------------------
    def generate_many(self, prompts: Sequence[str], seconds: float | Sequence[float | None] | None = None, seed: int = 0,
                      idle: bool = True, temperature: float = 0.5, shape: np.ndarray | None = None,
                      progress: Callable[[int, int], None] | None = None, candidates: int | None = None) -> list[FaceSequence]:
        """Perform several prompts, batched.

        Args:
            prompts: English sentences.
            seconds: wanted durations (exact to a tokenizer step), or None to let the model choose.
            seed: prompt ``i`` is performed with ``seed + i``.
            idle: put the idle layer (blinks, saccades, drift) on the result.
            temperature: 0 for the most likely performance.
            shape: identity coefficients ``(S,)`` or None for the mean face.
            progress: called with (done, of).
            candidates: performances sampled for each prompt, of which the one is kept that the model
                itself reads best as the prompt (``llm/rerank.py``); ``CANDIDATES`` when None.

        Raises:
            ValueError: see :func:`check_request`.
        """
        durations = check_request(prompts, seconds, seed, temperature, candidates)
        tries = 1 if temperature == 0 else candidates or CANDIDATES  # without chance they would all be the same
        written: list[np.ndarray] = []
        chunk = max(1, self.lm.batch_size // tries)
        for low in range(0, len(prompts), chunk):
            part = [p.strip() for p in prompts[low:low + chunk]]
            asked = durations[low:low + chunk]
            made = self.lm.perform([p for p in part for _ in range(tries)], seconds=[d for d in asked for _ in range(tries)],
                                   seed=[(seed + low + i, t) for i in range(len(part)) for t in range(tries)],
                                   temperature=temperature)
            written += best_of(self.lm, part, [made[i:i + tries] for i in range(0, len(made), tries)]) if tries > 1 else made
            if progress:
                progress(len(written), len(prompts))
        clips = []
        for i, (ids, value) in enumerate(zip(written, durations, strict=True)):
            clip = self.tokenizer.decode(ids, head=self.head, shape=shape)
            if value is not None:  # a step is 4 frames: cut or hold to the very frame that was asked for
                clip = to_length(clip, max(1, round(value * clip.fps)))
            clips.append(add_idle(clip, seed=seed + i) if idle else clip)
        return clips

    def generate(self, prompt: str, seconds: float | None = None, seed: int = 0, idle: bool = True,
                 temperature: float = 0.5, shape: np.ndarray | None = None, candidates: int | None = None) -> FaceSequence:
        """Perform one prompt; see :meth:`generate_many`."""
        return self.generate_many([prompt], seconds, seed, idle, temperature, shape, candidates=candidates)[0]

    # -- from one expression to another -------------------------------------------------
    def transition_many(self, instructions: Sequence[str], sources: Sequence[FaceSequence | None] | None = None,
                        seconds: float | Sequence[float | None] | None = None, via: str | None = None, curve: str = "learned",
                        seed: int = 0, idle: bool = False, candidates: int | None = None,
                        progress: Callable[[int, int], None] | None = None, at: float | Sequence[float | None] | None = None,
                        temperature: float | None = None) -> list[Transition]:
        """Take faces through the named expressions ("Turn this face from anger to happiness"), batched.

        See :func:`facelm.agent.transition.transition_many` for the arguments and errors.
        """
        from .transition import transition_many

        return transition_many(self, instructions, sources, seconds, via, curve, seed, idle, candidates, progress, at,
                               temperature)

    def transition(self, instruction: str, source: FaceSequence | None = None, seconds: float | None = None,
                   via: str | None = None, curve: str = "learned", seed: int = 0, idle: bool = False,
                   candidates: int | None = None, at: float | None = None, temperature: float | None = None) -> Transition:
        """Take one face, the source's last frame (or that ``at`` seconds), through the named expressions."""
        return self.transition_many([instruction], [source], seconds, via, curve, seed, idle, candidates, at=at,
                                    temperature=temperature)[0]

    # -- motion to words ----------------------------------------------------------------
    def describe_many(self, clips: Sequence[FaceSequence]) -> list[str]:
        """What each clip shows, in the model's words."""
        return self.lm.describe([self._ids(c) for c in clips])

    def describe(self, clip: FaceSequence) -> str:
        """What a clip shows, in the model's words."""
        return self.describe_many([clip])[0]

    def ask(self, clip: FaceSequence, question: str) -> str:
        """The model's answer to a question about a clip."""
        if not question.strip():
            raise ValueError('the question is empty; ask e.g. "How often does it blink?"')
        return self.lm.ask(self._ids(clip), question.strip())

    def measure(self, clip: FaceSequence) -> Measurement:
        """What geometry says the clip shows (no model involved)."""
        return measure(clip, self.head)

    def _ids(self, clip: FaceSequence) -> np.ndarray:
        check_clip(clip, self.head)
        return self.tokenizer.encode(clip).ids


def to_length(clip: FaceSequence, frames: int) -> FaceSequence:
    """A clip cut, or held at its last frame, to ``frames`` frames."""
    if len(clip) >= frames:
        return clip.slice(0, frames)
    tail = clip.slice(len(clip) - 1)
    return clip.concat(*[tail] * (frames - len(clip)))
