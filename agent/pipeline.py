"""FaceLM: words to face motion and back, with the released or your own weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from ..common.progress import Progress, silent
from ..data_gen.text.transition_text import Instruction
from ..data_gen.wording.telling import Detail, Style, tell_measured
from ..face.clip.normalise import Normalised, is_real, normalise
from ..face.clip.sequence import FaceSequence
from ..face.facs.evidence.query import Answer, Query
from ..face.facs.measure import measure
from ..face.facs.measured import Measurement
from ..face.facs.script import Script
from ..face.facs.script_text import read_script
from ..face.head.model import HeadModel
from ..llm.backends import Backend
from ..llm.generate import MotionLM
from ..llm.model import CARD
from ..tokenizer.codec import FaceTokenizer
from .media import check_clip
from .motion.answering import answered
from .motion.checked import Performance, Pieces, Preview, frames_of, perform_scripts, plan
from .motion.curves import check_curve
from .motion.reading import TRIES, read_prompts, with_length
from .motion.transition import Transition, perform, source_frame
from .motion.windows import Job, Performer
from .requests import (
    GenerateRequest,
    Prompt,
    Question,
    Sampling,
    Seconds,
    for_each,
    parsed,
    sampling_of,
    transition_request,
)

log = logging.getLogger(__name__)
_STREAMED = 50
"""Frames of a piece that the animator streams."""


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

    def __init__(self, tokenizer: FaceTokenizer, lm: MotionLM, head: HeadModel | None = None,
                 performer: Literal["model", "animator"] | None = None) -> None:
        self.tokenizer = tokenizer
        self.lm = lm
        self.head = head or HeadModel.default()
        self.performer = Performer(tokenizer, lm, self.head, performer)
        """What performs schedules."""

    @classmethod
    def from_pretrained(cls, weights: str | os.PathLike[str] | None = None, base: str | None = None,
                        exact: bool = False, backend: Backend = "torch",
                        performer: Literal["model", "animator"] | None = None) -> FaceLM:
        """Load weights (see :func:`weights_dir`) on a base model (see ``llm/base.py``).

        Args:
            weights: their folder.
            base: the base model.
            exact: decode one sequence at a time in 32-bit floats, so that a result does not depend on what else is in a
                batch, nor on whether the processor is fast with 16 bits. Slower.
            backend: what decodes: torch or vllm.
            performer: what moves the face: the language model, token by token, or the procedural animator; None is what the
                weights say (the released ones: the animator, which is faster).
        """
        folder = weights_dir(weights)
        log.info("loading the weights in %s", folder)
        tokenizer = FaceTokenizer.from_pretrained(folder / "tokenizer")
        lm = MotionLM.from_pretrained(folder / "llm", base=base, exact=exact, backend=backend)
        if lm.vocabulary.layout != tokenizer.layout:
            raise ValueError(f"the language model in {folder} was trained on another motion tokenizer than the one beside it; "
                             "give a folder whose two parts belong together")
        return cls(tokenizer, lm, performer=performer)

    # -- words to motion ----------------------------------------------------------------
    def read_many(self, prompts: Sequence[str], tries: int = TRIES) -> list[Script]:
        """What each prompt asks for, as a script (``face/facs/script.py``).

        Args:
            prompts: English texts.
            tries: readings of what the model is not sure of (``agent/motion/reading.py``); 1 takes the likeliest.

        Raises:
            ValueError: an empty or very long prompt, or one in another language than English.
        """
        return read_prompts(self.lm, [parsed(Prompt, p) for p in prompts], tries)

    def read(self, prompt: str) -> Script:
        """What a prompt asks for, as a script."""
        return self.read_many([prompt])[0]

    def perform_many(self, scripts: Sequence[Script | str], seconds: float | Sequence[float | None] | None = None, seed: int = 0,
                     idle: bool = True, temperature: float = 0.5, shape: np.ndarray | None = None,
                     candidates: int | None = None, repair: bool = True, progress: Progress | None = None) -> list[Performance]:
        """Perform scripts, or lines that say them (``face/facs/script_text.py``), and check the results.

        Args:
            scripts: what to do.
            seconds: exact lengths that go before those of the scripts; None leaves them.
            seed: script ``i`` is performed with ``seed + i``.
            idle: put the idle layer (blinks, saccades, drift) on the result.
            temperature: of the samples; the first is always the likeliest motion.
            shape: identity coefficients ``(S,)`` or None for the mean face.
            candidates: samples of each window, of which the one is kept that measures best; 4 when None.
            repair: perform again what the check misses, at last by the procedural animator; without, and with one candidate,
                the result is the model's alone.
            progress: called with (done, of).

        Raises:
            ValueError: no script, a script that cannot be done in its length, or a bad option.
        """
        sampling = sampling_of(seed, temperature, candidates, idle)
        read = [s if isinstance(s, Script) else read_script(s) for s in scripts]
        wanted = for_each(seconds, len(read), "durations", "scripts")
        timed = [with_length(s, parsed(Seconds, w) if w is not None else None) for s, w in zip(read, wanted, strict=True)]
        return perform_scripts(self.performer, timed, sampling, shape=shape, repair=repair, progress=progress or silent)

    def perform(self, asked: GenerateRequest, shape: np.ndarray | None = None, progress: Progress | None = None,
                repair: bool = True, scripts: Sequence[Script] | None = None,
                preview: Preview | None = None) -> list[Performance]:
        """Read and perform the prompts of a checked request, or perform what they were read as; see :meth:`generate_many`.

        ``preview`` is called with pieces of the first clip before it is checked (``agent/motion/checked.py``).
        """
        scripts = read_prompts(self.lm, asked.prompts) if scripts is None else scripts
        timed = [with_length(s, w) for s, w in zip(scripts, asked.seconds, strict=True)]
        return perform_scripts(self.performer, timed, asked.sampling, texts=asked.prompts, shape=shape, repair=repair,
                               progress=progress or silent, preview=preview)

    def generate_many(self, prompts: Sequence[str], seconds: float | Sequence[float | None] | None = None, seed: int = 0,
                      idle: bool = True, temperature: float = 0.5, shape: np.ndarray | None = None,
                      progress: Progress | None = None, candidates: int | None = None) -> list[FaceSequence]:
        """Perform several prompts; :meth:`perform` gives their scripts and checks as well.

        Args:
            prompts: English sentences.
            seconds: wanted durations, exact to the frame; None is what the prompt says, else what it takes.
            seed, idle, temperature, shape, candidates, progress: see :meth:`perform_many`.

        Raises:
            ValueError: an empty or very long prompt, one in another language, another number of durations than prompts, a
                duration outside 0.2 to 600 s or too short for what is asked, a negative seed or temperature, or candidates
                outside 1 to 64.
        """
        sampling = sampling_of(seed, temperature, candidates, idle)
        return [p.clip for p in self.perform(GenerateRequest.of(prompts, seconds, sampling), shape, progress)]

    def generate(self, prompt: str, seconds: float | None = None, seed: int = 0, idle: bool = True,
                 temperature: float = 0.5, shape: np.ndarray | None = None, candidates: int | None = None) -> FaceSequence:
        """Perform one prompt; see :meth:`generate_many`."""
        return self.generate_many([prompt], seconds, seed, idle, temperature, shape, candidates=candidates)[0]

    def stream(self, script: Script | str, seed: int = 0, candidates: int = 4,
               shape: np.ndarray | None = None) -> Iterator[FaceSequence]:
        """Perform a script of any length piece by piece, without idle motion; all pieces together equal the one-shot result.

        The memory that it needs does not grow with the length, apart from a few numbers a second.
        """
        asked = script if isinstance(script, Script) else read_script(script)
        performer = self.performer
        schedule = plan(performer, asked, seed)
        if not performer.able:
            whole = frames_of(schedule, performer)
            for low in range(0, whole, _STREAMED):
                yield performer.direct(schedule, shape, range(low, min(whole, low + _STREAMED)))
            return
        pieces = Pieces(performer, frames_of(schedule, performer), shape)
        for parts in performer.windows([Job(schedule, seed)], candidates):
            assert parts[0] is not None
            yield from pieces.push(parts[0].codes)
        yield from pieces.end()

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
            seconds: wanted durations, exact to the frame; None is what the instruction says, else what it takes.
            via: ``neutral`` or None.
            curve: ``learned``, ``linear`` or ``minjerk`` (``agent/motion/curves.py``).
            seed: instruction ``i`` is carried out with ``seed + i``.
            idle: put the idle layer on the result; it grows from nothing in the first 0.4 s.
            candidates: see :func:`facelm.agent.motion.transition.perform`; 4 when None. With 1 it is the likeliest.
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
        return perform(self.performer, asked, frames, sampling, curve,
                       progress or silent)

    # -- motion to words ----------------------------------------------------------------
    def describe_many(self, clips: Sequence[FaceSequence | Normalised | Measurement], model: bool = False,
                      style: Style = "plain", detail: Detail = "brief") -> list[str]:
        """What each clip shows; what is :class:`Normalised` is not cleaned again.

        Args:
            clips: of the default head, or what was measured of clips.
            model: in the language model's own words, which may be wrong, instead of words made from the measurement.
            style: plain, timed, clinical, director or caption (``data_gen/wording/telling.py``).
            detail: brief, or full with durations, faint and minor actions, and what is not sure.

        Raises:
            ValueError: the language model is asked for and has no clip, only a measurement.
        """
        if model:
            motions = [c for c in clips if not isinstance(c, Measurement)]
            if len(motions) < len(clips):
                raise ValueError("the language model describes clips; of a measurement, leave out model=True")
            return self.lm.describe([self._ids(c) for c in motions])
        return [tell_measured(self._facts(c), style, detail) for c in clips]

    def describe(self, clip: FaceSequence | Normalised | Measurement, style: Style = "plain", detail: Detail = "brief") -> str:
        """What a clip shows, in words made from its measurement."""
        return self.describe_many([clip], style=style, detail=detail)[0]

    def ask(self, clip: FaceSequence | Normalised | Measurement, question: str) -> str:
        """The answer to a question about a clip, computed from its measurement."""
        return self.answered(clip, question)[1].text

    def answered(self, clip: FaceSequence | Normalised | Measurement, question: str) -> tuple[Query | None, Answer]:
        """What a question asks for (None where it cannot be read), and the answer: a value and words."""
        return answered(self._facts(clip), parsed(Question, question))

    def measure(self, clip: FaceSequence) -> Measurement:
        """What geometry says the clip shows (no model involved)."""
        return measure(clip, self.head, filmed=is_real(clip))

    def _facts(self, clip: FaceSequence | Normalised | Measurement) -> Measurement:
        if isinstance(clip, Measurement):
            return clip
        check_clip(clip.seq if isinstance(clip, Normalised) else clip, self.head)
        if isinstance(clip, Normalised):
            return measure(clip.seq, self.head, filmed=clip.filmed)
        real = is_real(clip)
        return measure(clip if real else normalise(clip).seq, self.head, filmed=real)

    def _ids(self, clip: FaceSequence | Normalised) -> np.ndarray:
        check_clip(clip.seq if isinstance(clip, Normalised) else clip, self.head)
        return self.tokenizer.encode(clip).ids
