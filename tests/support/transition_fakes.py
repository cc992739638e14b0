"""A language model that writes the performer's real transitions, on the released tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.pipeline import FaceLM
from facelm.data_gen.performer.transitions import Stage, TransitionSpec, perform_transition
from facelm.data_gen.text.transition_text import parse
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.normalise import Normalised
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.poses import POSE_CHANNELS
from facelm.face.head.model import HeadModel
from facelm.tokenizer.codec import FaceTokenizer

WEIGHTS = Path(__file__).resolve().parents[2] / "weights/tokenizer"
needs_tokenizer = pytest.mark.skipif(not (WEIGHTS / "config.json").is_file(), reason="needs the released tokenizer")


class PerformingLM:
    """Answers instructions with tokens of the performer's transition from the source that it reads in the tokens."""

    def __init__(self, tokenizer: FaceTokenizer, batch_size: int = 4) -> None:
        self.tokenizer, self.batch_size = tokenizer, batch_size
        self.calls: list[dict] = []

    def transition(self, instructions: Sequence[str], sources: Sequence[np.ndarray | None], seconds: Sequence[float | None],
                   seed: Sequence[tuple[int, int]], temperature: float) -> list[np.ndarray]:
        self.calls.append({"texts": list(instructions), "sources": list(sources), "seconds": list(seconds), "seed": list(seed),
                           "temperature": temperature})
        out = []
        for text, ids, length, (number, attempt) in zip(instructions, sources, seconds, seed, strict=True):
            start = {} if ids is None else self.read(ids)
            rng = np.random.default_rng((number, attempt))
            stages = parse(text).stages
            share = 1.0 if length is None else length / (0.16 + 1.28 * len(stages))
            spread = 1.0 + (0.2 * rng.random() if temperature else 0.0)
            spec = TransitionSpec(tuple(Stage(s.blend, max(0.08, 0.64 * share * spread), max(0.0, 0.64 * share * (2 - spread)))
                                        for s in stages), start, 0.16 * share)
            clip = perform_transition(spec)
            steps = max(1, round((length or clip.seconds) / 0.16))
            clip = clip.slice(0, min(len(clip), 4 * steps))
            tail = clip.slice(len(clip) - 1)
            out.append(self.tokenizer.encode(Normalised(clip.concat(*[tail] * (4 * steps - len(clip))))).ids)
        return out

    def choose_transitions(self, instructions: Sequence[str], candidates: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
        assert len(instructions) == len(candidates)
        return [several[-1] for several in candidates]

    def read(self, ids: np.ndarray) -> dict[str, float]:
        clip = self.tokenizer.decode(ids)
        assert len(clip) == self.tokenizer.config.frames_per_step, "the source is handed over as one step"
        last = {n: float(v) for n, v in zip(EXPR_NAMES, clip.expr[-1], strict=True) if abs(v) > 0.05}
        return last | {"jaw_x": float(clip.jaw_pose[-1, 0])}


def performing_agent() -> FaceLM:
    tokenizer = FaceTokenizer.from_pretrained(WEIGHTS)
    return FaceLM(tokenizer, PerformingLM(tokenizer))  # type: ignore[arg-type]


def still(frames: int = 10, fps: float = 25.0, seed: int = 0, **channels: float) -> FaceSequence:
    """A person who holds channel values (ARKit names, angles in radians), with a head and a gaze of their own."""
    head = HeadModel.default()
    rng = np.random.default_rng(seed)
    clip = FaceSequence.rest(frames, head.ref, n_expr=head.n_expr, n_shape=head.n_shape, fps=fps)
    expr, jaw = clip.expr.copy(), clip.jaw_pose.copy()
    for name, value in channels.items():
        if name in POSE_CHANNELS:
            assert name.startswith("jaw")
            jaw[:, "xyz".index(name[-1])] = value
        else:
            expr[:, EXPR_NAMES.index(name)] = value
    field = {n: np.repeat(rng.normal(0, 0.15, (1, getattr(clip, n).shape[1])), frames, axis=0).astype(np.float32)
             for n in ("rotation", "neck_pose", "eyes_pose", "translation")}
    field["translation"] = np.abs(field["translation"])  # well behind z = -0.1 it would be in a camera's frame
    return clip.replace(expr=expr, jaw_pose=jaw, shape=rng.normal(0, 1, head.n_shape).astype(np.float32), **field)
