"""FaceLM: words to face motion and back, with the released or your own weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from ..common.progress import Progress, silent
from ..data_gen.text.transition_text import Instruction
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle
from ..face.facs.measure import Measurement, measure
from ..face.head.model import HeadModel
from ..llm.generate import MotionLM
from ..llm.model import CARD
from ..llm.rerank import best_of
from ..tokenizer.codec import FaceTokenizer
from .media import check_clip
from .requests import (
    GenerateRequest,
    Question,
    Sampling,
    for_each,
    parsed,
    sampling_of,
    transition_request,
)
from .transition import Transition, Writer, perform, source_frame, to_length
from .transition_curves import check_curve

log = logging.getLogger(__name__)


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
        log.info("loading the weights in %s", folder)
        tokenizer = FaceTokenizer.from_pretrained(folder / "tokenizer")
        lm = MotionLM.from_pretrained(folder / "llm", base=base)
        if lm.vocabulary.layout != tokenizer.layout:
            raise ValueError(f"the language model in {folder} was trained on another motion tokenizer than the one beside it; "
                             "give a folder whose two parts belong together")
        return cls(tokenizer, lm)

    # -- words to motion ----------------------------------------------------------------
    def generate_many(self, prompts: Sequence[str], seconds: float | Sequence[float | None] | None = None, seed: int = 0,
                      idle: bool = True, temperature: float = 0.5, shape: np.ndarray | None = None,
                      progress: Progress | None = None, candidates: int | None = None) -> list[FaceSequence]:
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
                itself reads best as the prompt (``llm/rerank.py``); 4 when None.

        Raises:
            ValueError: an empty or very long prompt, another number of durations than prompts, a duration
                outside 0.2 to 20 s, a negative seed or temperature, or candidates outside 1 to 64.
        """
        sampling = sampling_of(seed, temperature, candidates, idle)
        return self.perform(GenerateRequest.of(prompts, seconds, sampling), shape, progress)

    def generate(self, prompt: str, seconds: float | None = None, seed: int = 0, idle: bool = True,
                 temperature: float = 0.5, shape: np.ndarray | None = None, candidates: int | None = None) -> FaceSequence:
        """Perform one prompt; see :meth:`generate_many`."""
        return self.generate_many([prompt], seconds, seed, idle, temperature, shape, candidates=candidates)[0]

    def perform(self, asked: GenerateRequest, shape: np.ndarray | None = None,
                progress: Progress | None = None) -> list[FaceSequence]:
        """Perform the prompts of a checked request; see :meth:`generate_many`."""
        prompts, sampling, tries = asked.prompts, asked.sampling, asked.sampling.tries
        written: list[np.ndarray] = []
        chunk = max(1, self.lm.batch_size // tries)
        for low in range(0, len(prompts), chunk):
            part = prompts[low:low + chunk]
            made = self.lm.perform([p for p in part for _ in range(tries)],
                                   seconds=[d for d in asked.seconds[low:low + chunk] for _ in range(tries)],
                                   seed=[(sampling.seed + low + i, t) for i in range(len(part)) for t in range(tries)],
                                   temperature=sampling.temperature)
            written += best_of(self.lm, part, [made[i:i + tries] for i in range(0, len(made), tries)]) if tries > 1 else made
            log.debug("performed %d of %d prompts, each the best of %d", len(written), len(prompts), tries)
            (progress or silent)(len(written), len(prompts))
        clips = []
        for i, (ids, value) in enumerate(zip(written, asked.seconds, strict=True)):
            clip = self.tokenizer.decode(ids, head=self.head, shape=shape)
            if value is not None:  # a step is several frames: cut or hold to the very frame that was asked for
                clip = to_length(clip, max(1, round(value * clip.fps)))
            clips.append(add_idle(clip, seed=sampling.seed + i) if sampling.idle else clip)
        return clips

    # -- from one expression to another -------------------------------------------------
    def transition_many(self, instructions: Sequence[str], sources: Sequence[FaceSequence | None] | None = None,
                        seconds: float | Sequence[float | None] | None = None, via: str | None = None, curve: str = "learned",
                        seed: int = 0, idle: bool = False, candidates: int | None = None,
                        progress: Progress | None = None, at: float | Sequence[float | None] | None = None,
                        temperature: float | None = None) -> list[Transition]:
        """Take faces through the named expressions ("Turn this face from anger to happiness"), batched.

        Args:
            instructions: see :func:`facelm.agent.requests.transition_request`.
            sources: for each a clip whose last frame (or frame ``at``) is the source, or None for the face at rest.
            seconds: wanted durations, exact to the frame; None lets the instruction, else the model choose.
            via: ``neutral`` or None.
            curve: ``learned``, ``linear`` or ``minjerk`` (``agent/transition_curves.py``).
            seed: instruction ``i`` is carried out with ``seed + i``.
            idle: put the idle layer on the result; it grows from nothing in the first 0.4 s.
            candidates: see :func:`facelm.agent.transition.perform`; 4 when None. With 1 it is the likeliest.
            progress: called with (done, of).
            at: seconds into each source at which its frame is taken; None is the last.
            temperature: of the samples; 0.5 when None, and 0 leaves the likeliest transition alone.

        Raises:
            ValueError: see :func:`transition_request`, :func:`source_frame`; other numbers of sources, times or durations.
        """
        count = len(instructions)
        durations = for_each(seconds, count, "durations", "instructions")
        times = for_each(at, count, "times", "instructions")
        given = for_each(sources, count, "sources", "instructions")
        sampling = sampling_of(seed, temperature, candidates, idle)
        asked = [transition_request(text, s, via) for text, s in zip(instructions, durations, strict=True)]
        return self.carry_out(asked, given, sampling, curve, times, progress)

    def transition(self, instruction: str, source: FaceSequence | None = None, seconds: float | None = None,
                   via: str | None = None, curve: str = "learned", seed: int = 0, idle: bool = False,
                   candidates: int | None = None, at: float | None = None, temperature: float | None = None) -> Transition:
        """Take one face, the source's last frame (or that ``at`` seconds), through the named expressions."""
        return self.transition_many([instruction], [source], seconds, via, curve, seed, idle, candidates, at=at,
                                    temperature=temperature)[0]

    def carry_out(self, asked: Sequence[Instruction], sources: Sequence[FaceSequence | None], sampling: Sampling,
                  curve: str = "learned", times: Sequence[float | None] | None = None,
                  progress: Progress | None = None) -> list[Transition]:
        """Carry out checked instructions; see :meth:`transition_many`."""
        check_curve(curve)
        frames = [source_frame(c, self.head, t) for c, t in zip(sources, times or [None] * len(asked), strict=True)]
        return perform(Writer(self.tokenizer, self.lm, self.head), asked, frames, sampling, curve,
                       progress or silent)

    # -- motion to words ----------------------------------------------------------------
    def describe_many(self, clips: Sequence[FaceSequence | Normalised]) -> list[str]:
        """What each clip shows, in the model's words; what is :class:`Normalised` is not cleaned again."""
        return self.lm.describe([self._ids(c) for c in clips])

    def describe(self, clip: FaceSequence | Normalised) -> str:
        """What a clip shows, in the model's words."""
        return self.describe_many([clip])[0]

    def ask(self, clip: FaceSequence | Normalised, question: str) -> str:
        """The model's answer to a question about a clip."""
        return self.lm.ask(self._ids(clip), parsed(Question, question))

    def measure(self, clip: FaceSequence) -> Measurement:
        """What geometry says the clip shows (no model involved)."""
        return measure(clip, self.head)

    def _ids(self, clip: FaceSequence | Normalised) -> np.ndarray:
        check_clip(clip.seq if isinstance(clip, Normalised) else clip, self.head)
        return self.tokenizer.encode(clip).ids
