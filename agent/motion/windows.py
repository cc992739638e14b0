"""Performing schedules with the language model, window by window, and checking what comes out.

Each window is sampled several times; kept is the motion whose measurement agrees best with what the procedural animator does for
the same window, which is what the schedule means. A window of which no sample agrees is sampled again, and at last taken from
the animator, through the same tokens. Who performed each window is kept and reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...data_gen.performer.animator import n_frames, perform
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure
from ...face.facs.measured import MeasuredAction
from ...face.facs.schedule import Schedule
from ...face.head.model import HeadModel
from ...llm.generate import MotionLM
from ...llm.generate import Sampling as Draw
from ...llm.grammar.windows import Window, cut
from ...tokenizer.codec import FaceTokenizer
from ...tokenizer.features import to_features, to_sequence

By = Literal["model", "repaired", "animator"]
Codes = NDArray[np.int64]
CONTEXT = 3
"""Tokenizer steps before a window that are decoded with it; the decoder sees less to either side."""
_REACH = 8
"""Steps to either side that a code may depend on."""
TIME, STRENGTH = 0.3, 0.15
"""Seconds and share of full scale by which two renditions of one event may differ: two tokenizer steps, and what can be seen."""
_PLAIN = 0.1
"""An action that is this little above its threshold may be missing in one of two renditions."""
_THRESHOLD = 0.24


@dataclass(frozen=True)
class Job:
    """One schedule to perform."""

    schedule: Schedule
    seed: int = 0
    before: tuple[int, ...] | None = None
    """Codes of the face that it starts from; None is the resting face."""


@dataclass(frozen=True)
class Part:
    """A performed window."""

    window: Window
    codes: Codes
    """``(steps, K)``"""
    by: By
    agreement: float
    """Share of the events on which it and the animator's rendition agree, 0 to 1."""


@dataclass(frozen=True)
class Performer:
    """What performs schedules: tokenizer, language model and head.

    Attributes:
        by: ``model`` or ``animator``; None is what the weights say.
    """

    tokenizer: FaceTokenizer
    lm: MotionLM
    head: HeadModel
    by: Literal["model", "animator"] | None = None

    def windows(self, jobs: Sequence[Job], candidates: int = 4, temperature: float = 0.5,
                repair: bool = True) -> Iterator[list[Part | None]]:
        """Perform schedules side by side, one window of each at a time.

        Args:
            jobs: what to perform.
            candidates: most samples of each window, the first of which is the likeliest motion; as soon as one agrees, no more
                are made. With 1 and without ``repair`` it is the model alone.
            temperature: of the samples; 0 leaves the likeliest motion alone, since all samples would be the same.
            repair: sample windows that do not agree once more, and take what still does not from the animator.

        Yields:
            For each job its next window, None when it is over.

        Raises:
            ValueError: the weights were not trained to perform.
        """
        self.require(repair=False)
        rounds: list[tuple[int, float, By]] = [(1, 0.0, "model")]
        if temperature > 0.0:
            rounds.append((candidates - 1, temperature, "model"))
            if repair:
                rounds.append((max(4, candidates), 1.4 * temperature, "repaired"))
        plans = [cut(job.schedule, self.tokenizer.step_seconds) for job in jobs]
        done: list[Codes] = [np.array([job.before or self.tokenizer.layout.rest_codes], np.int64) for job in jobs]
        for k in range(max(map(len, plans))):
            live = [i for i, plan in enumerate(plans) if k < len(plan)]
            wanted = {i: self.animated(jobs[i].schedule, plans[i][k]) for i in live}
            parts: list[Part | None] = [None] * len(jobs)
            for round_, (tries, warmth, by) in enumerate(rounds):
                missing = [i for i in live if (p := parts[i]) is None or p.agreement < 1.0]
                draws = [(i, t) for i in missing for t in range(tries)]
                if not draws:
                    continue
                made = self.lm.perform_windows([plans[i][k] for i, _ in draws], [done[i][-1].tolist() for i, _ in draws],
                                               [(jobs[i].seed, 1000 * k + 100 * round_ + t) for i, t in draws], Draw(warmth))
                for (i, _), codes in zip(draws, made, strict=True):
                    best = parts[i]
                    if best is not None and best.agreement == 1.0:
                        continue
                    share = self._agreement(done[i], codes, wanted[i], plans[i][k])
                    if best is None or share > best.agreement:
                        parts[i] = Part(plans[i][k], codes, by, share)
            for i in live:
                part, window = parts[i], plans[i][k]
                if part is None or repair and part.agreement < 1.0:
                    parts[i] = part = Part(window, wanted[i][-window.steps:], "animator", 1.0)
                done[i] = np.concatenate([done[i][-CONTEXT:], part.codes])
            yield parts

    @property
    def able(self) -> bool:
        """Whether the language model performs; else the animator does, without tokens."""
        return "perform" in self.lm.tasks and (self.by or self.lm.performer) == "model"

    def require(self, repair: bool) -> None:
        """Refuse to perform without the animator what the model cannot.

        Raises:
            ValueError: the weights were not trained to perform, and ``repair`` is off.
        """
        if "perform" not in self.lm.tasks and (not repair or self.by == "model"):
            raise ValueError("these weights were not trained to perform scripts, and without repair nothing else does; "
                             "give weights of a recipe with data.perform, or leave the animator in")

    def direct(self, schedule: Schedule, shape: NDArray[np.float32] | None = None, frames: range | None = None) -> FaceSequence:
        """The procedural animator's rendition, not through tokens: all of it, or some frames."""
        return perform(schedule, self.head, shape=shape, fps=self.tokenizer.config.fps, frames=frames)

    def animated(self, schedule: Schedule, window: Window | None = None) -> Codes:
        """The procedural animator's rendition, ``(steps, K)`` codes: all, or a window with up to ``CONTEXT`` steps before it."""
        each = self.tokenizer.config.frames_per_step
        total = max(1, round(schedule.seconds / self.tokenizer.step_seconds))
        first, last = (0, total) if window is None else (max(0, window.start - CONTEXT), window.start + window.steps)
        low, high = max(0, first - _REACH), min(total, last + _REACH)
        frames = range(low * each, min(high * each, n_frames(schedule.seconds, self.tokenizer.config.fps)))
        codes = self.tokenizer.encode_features([to_features(perform(schedule, self.head, frames=frames))])[0]
        codes = np.concatenate([codes, np.repeat(codes[-1:], max(0, high - low - len(codes)), axis=0)])
        return codes[first - low:last - low]

    # -- agreement ----------------------------------------------------------------------
    def _agreement(self, done: Codes, codes: Codes, wanted: Codes, window: Window) -> float:
        lead = min(len(wanted) - window.steps, len(done))
        reference = wanted[len(wanted) - window.steps - lead:]
        candidate = np.concatenate([done[len(done) - lead:], codes])
        return agreement(self.shown(reference), self.shown(candidate))

    def shown(self, codes: Codes) -> tuple[MeasuredAction, ...]:
        """What a few steps of codes show, measured."""
        features = self.tokenizer.decode_codes(codes)
        shape = np.zeros(self.head.n_shape, np.float32)
        return measure(to_sequence(features, self.head.ref, shape, self.tokenizer.config.fps), self.head).actions

    def clip(self, codes: Codes, frames: int, shape: NDArray[np.float32] | None = None) -> FaceSequence:
        """The clip of codes, cut or held to a number of frames."""
        identity = np.zeros(self.head.n_shape, np.float32) if shape is None else shape
        features = self.tokenizer.decode_codes(codes)
        if len(features) < frames:
            features = np.concatenate([features, np.repeat(features[-1:], frames - len(features), axis=0)])
        return to_sequence(features[:frames], self.head.ref, identity, self.tokenizer.config.fps)


def agreement(wanted: Sequence[MeasuredAction], found: Sequence[MeasuredAction]) -> float:
    """How far two measurements of one window agree: events of both that have a partner, as a share of all.

    Partners have one name and side, as many cycles, and nearly the same start and strength. An event barely above the
    threshold of measurement needs no partner.
    """
    left = list(found)
    matched = missing = 0
    for a in wanted:
        partner = next((b for b in left if _same(a, b)), None)
        if partner is not None:
            left.remove(partner)
            matched += 1
        elif a.intensity > _THRESHOLD + _PLAIN:
            missing += 1
    extra = sum(b.intensity > _THRESHOLD + _PLAIN for b in left)
    total = 2 * matched + missing + extra
    return 1.0 if total == 0 else 2 * matched / total


def _same(a: MeasuredAction, b: MeasuredAction) -> bool:
    if a.name != b.name or a.side != b.side or a.cycles != b.cycles:
        return a.name == b.name == "talking" and abs(a.onset - b.onset) <= TIME and abs(a.offset - b.offset) <= 2 * TIME
    return abs(a.onset - b.onset) <= TIME and abs(a.offset - b.offset) <= 2 * TIME and abs(a.intensity - b.intensity) <= STRENGTH
