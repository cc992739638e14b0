"""Transitions by a trained baseline (I2FET), the paper's way."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..agent.motion.curves import anchors
from ..agent.motion.transition import Transition, source_frame
from ..agent.requests import Sampling
from ..data_gen.performer.animator import FPS
from ..data_gen.text.transition_text import Instruction
from ..face.clip.channels import MOTION_FIELDS
from ..face.clip.sequence import FaceSequence
from ..face.clip.trajectory import anchor_frames, transition_clip
from ..face.head.model import HeadModel

SECONDS = 3.0
"""Length of a transition when none is asked for."""


class Baseline(Protocol):
    """What a trained baseline offers (``eval/baselines/i2fet``)."""

    def generate(self, instructions: list[str], seed: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]: ...


def trained_transition(folder: str, asked: Instruction, source: FaceSequence | None, head: HeadModel, curve: str,
                       sampling: Sampling, via: str | None = None) -> Transition:
    """A transition by the baseline in a folder.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: options that only the language model has, or what :func:`baseline_transition` refuses.
    """
    if curve == "learned":
        raise ValueError("--curve is learned, but the baseline gives two key poses and no timing; allowed: linear, minjerk")
    several = sampling.candidates != Sampling().candidates
    for given, name in ((via, "--via"), (several, "--candidates"), (sampling.idle, "--idle")):
        if given:
            raise ValueError(f"{name} is for the language model; leave it out, or use --method lm")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"no trained baseline in {folder}; train one with `facelm eval transitions -o DIR`")
    from ..eval.baselines.i2fet.train import TrainedI2FET

    return baseline_transition(TrainedI2FET.load(Path(folder)), asked, source, head, sampling.seed, curve=curve)


def baseline_transition(model: Baseline, asked: Instruction, source: FaceSequence | None = None,
                        head: HeadModel | None = None, seed: int = 0, at: float | None = None,
                        curve: str = "linear") -> Transition:
    """Two key poses of a trained baseline, interpolated from the source (FET, eq. 16 of https://arxiv.org/abs/2601.08179).

    Identity, place, neck and gaze are the source's; expression, global rotation and jaw go to the predicted ones.

    Args:
        model: ``generate([instruction], seed)`` -> expression ``(1, 2, E)`` and pose ``(1, 2, 6)`` (global
            rotation, then jaw; axis-angle, rad).
        asked: from one expression to another; 3 s long when it names no duration.
        source: a clip; None is the face at rest.
        head: the head; None is the default one.
        seed: of the latent draw.
        at: seconds into the source; None is its last frame.
        curve: ``linear`` or ``minjerk``.

    Raises:
        ValueError: another number of expressions than two, or wrong values.
    """
    if len(asked.names) != 2:
        raise ValueError(f"the instruction names {len(asked.names)} expressions ({', '.join(asked.names)}); "
                         "the baseline goes from one to another: use --method lm")
    first = source_frame(source, head or HeadModel.default(), at).frame
    expr, pose = (np.asarray(values, np.float32)[0] for values in model.generate([asked.text], seed))
    frames = max(3, round((asked.seconds or SECONDS) * FPS))
    keys = anchor_frames(3, frames)[1:]
    clip = transition_clip(first.replace(fps=FPS), expr, pose, frames)
    if curve != "linear":
        rows = [0, *keys]
        poses = clip.replace(**{n: getattr(clip, n)[rows] for n in ("expr", *MOTION_FIELDS, "valid")})
        clip = anchors(poses, keys, frames, curve)
    return Transition(clip, keys, asked.names, asked.warnings, asked.text)
