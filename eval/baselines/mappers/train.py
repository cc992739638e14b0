"""Training of dual mappers, one pair an expression, and editing with them.

He et al. 2026: 5,000 codes w with FLAME parameters of the expression from reference pictures (EMOCA), the prompt "A person who is
smiling", about 14 hours of an RTX 4090 an expression. Here: made-up persons, and for the reference the pose of the script that
the language model or a user would write; few steps, as a judge that is pushed long enough likes grimaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....common.files import digest
from ....common.progress import Progress, silent
from ....common.tensors import load_tensors, save_tensors
from .generator import Generator, People
from .judge import learn
from .model import DualMappers, aim_of, identity_loss, norm_loss, subspace, text_loss
from .nets import TextImageEmbedder

VARIANTS: dict[str, dict[str, object]] = {
    "full": {}, "no_identity": {"identity": 0.0}, "no_projection": {"projection": False}, "no_attention": {"attention": False},
    "no_reference": {"reference": False}}
"""The paper's ablations, as changes of :class:`MapperOptions`; "no_reference" starts from a neutral face, where the paper takes
DECA's parameters in place of EMOCA's."""


@dataclass(frozen=True)
class MapperOptions:
    """Numbers of the training. Of the paper's weights only the identity's is known, 0.15 to 0.2.

    Raises:
        ValueError: one out of range.
    """

    steps: int = 20
    batch: int = 6
    lr: float = 0.02
    norm: float = 0.01
    text: float = 1.0
    identity: float = 0.2
    power: float = 1.0
    """Of the augmentation."""
    projection: bool = True
    attention: bool = True
    reference: bool = True
    """Start from the script's pose; else from a neutral face."""
    people: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("steps", 1, 1_000_000), ("batch", 1, 4096), ("norm", 0, 100), ("text", 0, 100),
                                ("identity", 0, 100), ("power", 0, 100), ("people", 1, 100_000)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; allowed: {low:g} to {high:g}")


@dataclass(frozen=True, eq=False)
class Setting:
    """What all expressions share.

    Attributes:
        generator: draws.
        embedder: of texts and pictures (the paper's CLIP).
        person: a recogniser, pictures (B,3,H,W) -> (B,D) (the paper's ArcFace).
        people: whom it draws.
        actions: rows that changes of psi are kept in the span of; None: any change.
        folded: the texture code that goes with a psi; None: zero.
        key: in words, which networks and people these are: mappers made with others are trained anew.
    """

    generator: Generator
    embedder: TextImageEmbedder
    person: Callable[[Tensor], Tensor]
    people: People
    actions: Tensor | None = None
    folded: Callable[[np.ndarray], np.ndarray] | None = None
    key: str = ""


@dataclass(frozen=True, eq=False)
class Goal:
    """One expression.

    Attributes:
        prompt: e.g. "A person who is smiling."
        basis: texts of expressions that span the subspace.
        pose: (E,) psi of the reference.
    """

    prompt: str
    basis: tuple[str, ...]
    pose: np.ndarray


@dataclass(frozen=True, eq=False)
class Start:
    """Codes before editing: w (B,N,C), psi (B,E), and whose."""

    w: Tensor
    psi: Tensor
    people: People


def starts(on: Setting, pose: np.ndarray, count: int, seed: int) -> Start:
    """Random people with a pose (E,) at 0.7 to 1 of itself and its own folds, each code a little off; zeros: a neutral face."""
    rng, generator = np.random.default_rng(seed), on.generator
    psi = pose * rng.uniform(0.7, 1.0, (count, 1)) * np.exp(rng.normal(0, 0.1, (count, len(pose))))
    psi = np.clip(psi, *generator.limits).astype(np.float32)
    w = rng.normal(0, 0.08, (count, *generator.codes)).astype(np.float32)
    if on.folded is not None:
        w += on.folded(psi)
    index = torch.from_numpy(rng.integers(0, len(on.people), count))
    return Start(torch.from_numpy(w), torch.from_numpy(psi), on.people.of(index))


def train_mappers(on: Setting, goal: Goal, options: MapperOptions | None = None, kept: Path | None = None,
                  progress: Progress = silent) -> DualMappers:
    """Train one pair of mappers towards a prompt.

    Args:
        on: generator, networks, people.
        goal: prompt and reference.
        options: numbers.
        kept: file of safetensors, read where it was made with the same options, goal and ``on.key``.
        progress: called with (steps done, of all, prompt).
    """
    ask, generator = options or MapperOptions(), on.generator
    torch.manual_seed(ask.seed)
    model = DualMappers(generator.codes, generator.expressions, on.actions, attention=ask.attention, limits=generator.limits)
    made = digest([asdict(ask), on.key, goal.prompt, list(goal.basis), np.asarray(goal.pose).round(5).tolist()])
    if kept is not None and kept.is_file():
        found = load_tensors(kept)
        if found.about.get("key") == made:
            model.load_state_dict(found.tensors)
            return model.eval().requires_grad_(False)
    with torch.no_grad():
        text = on.embedder.text([goal.prompt])[0]
        span = subspace(on.embedder.text(goal.basis)) if ask.projection else None
    begin = goal.pose if ask.reference else np.zeros_like(goal.pose)

    def loss(start: Start) -> Tensor:
        with torch.no_grad():
            before = generator.picture(start.w, start.psi, start.people)
            aim, who = aim_of(on.embedder.image(before), text, span, ask.power), on.person(before)
        w, psi, dw, dpsi = model.edit(start.w, start.psi)
        after = generator.picture(w, psi, start.people)
        total = ask.norm * norm_loss(dw, dpsi) + ask.text * text_loss(on.embedder.image(after), aim)
        return total + ask.identity * identity_loss(who, on.person(after)) if ask.identity else total

    learn(goal.prompt, model, lambda step: starts(on, begin, ask.batch, 1_000_003 * ask.seed + step), loss, ask.steps, ask.lr,
          lambda done, of, stage="": progress(done, of, goal.prompt))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(kept, model.state_dict(), {"key": made})
    return model
