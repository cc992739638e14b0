"""Training of the judges on our own renders: two mini-CLIPs (one to train against, one to score), actions, identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings
from torch import Tensor, nn

from ....common.config import SETTINGS, parse, read_yaml
from ....common.files import digest
from ....common.progress import Progress, silent
from ....common.tensors import load_tensors, save_tensors
from ....common.training import Losses, Plan, Reached, Run, Task, cosine, fit
from ....data_gen.photo.apex import intensities, moment_of
from ....face.clip.sequence import FaceSequence
from ....face.facs.script_text import read_script
from .generator import People, TexturedHeadGenerator
from .nets import Encoder, MiniClip, caption_words, contrast, same_person

PROMPTS = 6
"""The first expressions are those of He et al."""


@settings(frozen=True, config=SETTINGS)
class Expression:
    """One expression of captions.yaml."""

    script: str
    says: tuple[str, ...] = Field(min_length=1)


@cache
def expressions() -> dict[str, Expression]:
    """Every expression by name."""
    path = Path(__file__).with_name("captions.yaml")
    return {n: parse(Expression, row, f"{path.name}: {n}") for n, row in read_yaml(path).items()}


@cache
def apex_of(name: str, head_columns: int) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Pose (E+1,), psi, of an expression at its script's apex, and the actions that it asks for."""
    script = expressions()[name].script
    if not script:
        return np.zeros(head_columns + 1, np.float32), {}
    moment = moment_of(read_script(script))
    return np.r_[moment.pose.expr[0], moment.pose.jaw_pose[0, 0]].astype(np.float32), moment.asked


@cache
def judged_actions(head_columns: int) -> tuple[str, ...]:
    """The actions that any expression asks for, sorted."""
    return tuple(sorted({a for n in expressions() for a in apex_of(n, head_columns)[1]}))


@dataclass(frozen=True)
class JudgeOptions:
    """How much is drawn and learned.

    Raises:
        ValueError: a number out of range.
    """

    people: int = 32
    pictures: int = 1600
    steps: int = 170
    batch: int = 48
    lr: float = 2e-3
    wrong: float = 0.25
    """Share of pictures that fit no caption."""
    channels: tuple[int, int, int, int] = (24, 48, 96, 128)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("people", 2, 10_000), ("pictures", 20, 1_000_000), ("steps", 1, 1_000_000), ("batch", 4, 4096),
                                ("wrong", 0, 0.9)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; allowed: {low:g} to {high:g}")


QUICK = JudgeOptions(people=4, pictures=120, steps=12, batch=24, channels=(4, 4, 8, 8))
"""Whether it runs, not how well."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Renders with what is known of them."""

    pixels: Tensor
    """(N,3,H,W) uint8."""
    label: Tensor
    """(N,) place of the expression in ``expressions()``, -1 where none fits."""
    person: Tensor
    actions: Tensor
    """(N,A) measured intensity of ``judged_actions()``."""


def grimace(rng: np.random.Generator, columns: int) -> NDArray[np.float32]:
    """Pose, psi, of a wrong face: many columns at random, sides apart."""
    psi = np.zeros(columns + 1, np.float32)
    chosen = rng.choice(columns, int(rng.integers(8, columns)), replace=False)
    psi[chosen] = rng.uniform(0.2, 1.1, len(chosen))
    psi[-1] = rng.choice([0.0, rng.uniform(0, 0.45)])
    return psi


def render(generator: TexturedHeadGenerator, people: People, count: int, wrong: float, seed: int, progress: Progress = silent
           ) -> Pictures:
    """Draw pictures of people with expressions of known names at 0.5 to 1.05 of their script's apex, and wrong ones."""
    rng, columns, names = np.random.default_rng([seed, 0x9A]), generator.head.n_expr, list(expressions())
    label = np.where(rng.random(count) < wrong, -1, rng.integers(0, len(names), count))
    person = rng.integers(0, len(people), count)
    psi = np.zeros((count, columns + 1), np.float32)
    for k, which in enumerate(label):
        if which < 0:
            psi[k] = grimace(rng, columns)
            if rng.random() < 0.3:  # a caption's expression spoilt: near what is right, and still wrong
                psi[k] = np.maximum(apex_of(names[int(rng.integers(0, PROMPTS))], columns)[0], psi[k])
            continue
        apex = apex_of(names[which], columns)[0] * rng.uniform(0.5, 1.05)
        psi[k] = np.clip(apex * np.exp(rng.normal(0, 0.15, columns + 1)) + np.maximum(rng.normal(-0.05, 0.06, columns + 1), 0)
                         * np.r_[np.ones(columns), 0.2], 0, 1.1)
    w = generator.folded(psi) * rng.uniform(0.3, 1.2, (count, 1, 1)).astype(np.float32)
    w = w + rng.normal(0, 0.08, w.shape).astype(np.float32)
    pixels = []
    with torch.no_grad():
        for start in range(0, count, 32):
            part = slice(start, start + 32)
            shown = generator.picture(torch.from_numpy(w[part]), torch.from_numpy(psi[part]),
                                      people.of(torch.from_numpy(person[part])))
            pixels.append((shown * 255).round().to(torch.uint8))
            progress(min(start + 32, count), count, "pictures for the judges")
    return Pictures(torch.cat(pixels), torch.from_numpy(label), torch.from_numpy(person),
                    torch.from_numpy(measured(psi, generator)))


def measured(psi: NDArray[np.float32], generator: TexturedHeadGenerator) -> NDArray[np.float32]:
    """(N,A) intensity of ``judged_actions()`` by geometry."""
    clip = FaceSequence.rest(len(psi), generator.head.ref, n_expr=generator.head.n_expr)
    jaw = np.zeros((len(psi), 3), np.float32)
    jaw[:, 0] = psi[:, -1]
    found = intensities(clip.replace(expr=np.ascontiguousarray(psi[:, :-1]), jaw_pose=jaw), generator.head)
    return np.stack([found[a] for a in judged_actions(generator.head.n_expr)], 1).astype(np.float32)


class Learning(Task):
    """A network, batches drawn by step, and a loss."""

    def __init__(self, title: str, model: nn.Module, draw: Callable[[int], Any], loss: Callable[[Any], Tensor], lr: float
                 ) -> None:
        self.title, self.model, self._draw, self._loss = title, model, draw, loss
        self.optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr)

    def batches(self, reached: Reached) -> Iterator[tuple[Any, Any]]:
        """See :class:`Task`."""
        step = reached.step
        while True:
            step += 1
            yield self._draw(step), step

    def losses(self, batch: Any) -> Losses:
        """See :class:`Task`."""
        return Losses(self._loss(batch))

    def rate(self, share: float, step: int) -> float:
        """See :class:`Task`."""
        return cosine(share)


def learn(title: str, model: nn.Module, draw: Callable[[int], Any], loss: Callable[[Any], Tensor], steps: int, lr: float,
          progress: Progress | None = None) -> None:
    """Train a network for some steps; it is left in evaluation mode, and its parameters need no gradients."""
    run = Run(Learning(title, model, draw, loss, lr), Plan(steps=steps, clip=1.0))
    fit(run, progress)
    run.finish()
    model.requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Judges:
    """The networks, frozen."""

    guide: MiniClip
    """What the mappers are trained against."""
    score: MiniClip
    """Another, of another seed, which they never meet."""
    actions: Encoder
    identity: Encoder

    def person(self, pictures: Tensor) -> Tensor:
        """(B,D) unit vectors of identity."""
        return F.normalize(self.identity(pictures), dim=-1)

    def parts(self) -> dict[str, nn.Module]:
        """By name."""
        return {"guide": self.guide, "score": self.score, "actions": self.actions, "identity": self.identity}


def _empty(options: JudgeOptions, columns: int) -> Judges:
    words = caption_words([c for e in expressions().values() for c in e.says])
    torch.manual_seed(options.seed)
    guide, score = (MiniClip(words, options.channels) for _ in range(2))
    return Judges(guide, score, Encoder(len(judged_actions(columns)), options.channels), Encoder(64, options.channels))


def train_judges(generator: TexturedHeadGenerator, options: JudgeOptions | None = None, kept: Path | None = None,
                 progress: Progress = silent) -> Judges:
    """Train the judges, or read them where the same were kept.

    Args:
        generator: draws the pictures.
        options: how much.
        kept: file of safetensors.
        progress: called with (done, of all, what).

    Raises:
        ValueError: a damaged file.
    """
    ask = options or JudgeOptions()
    made = _empty(ask, generator.head.n_expr)
    key = digest([asdict(ask), generator.size, generator.head.sha256, {n: [e.script, *e.says] for n, e in expressions().items()}])
    if kept is not None and kept.is_file():
        found = load_tensors(kept)
        if found.about.get("key") == key:
            for name, part in made.parts().items():
                part.load_state_dict({n.partition(".")[2]: v for n, v in found.tensors.items() if n.partition(".")[0] == name})
                part.eval().requires_grad_(False)
            return made
    seen = render(generator, generator.people(ask.people, ask.seed), ask.pictures, ask.wrong, ask.seed, progress)
    _train(made, seen, ask, progress)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"{n}.{k}": v for n, part in made.parts().items() for k, v in part.state_dict().items()}
        save_tensors(kept, tensors, {"key": key})
    return made


def _train(made: Judges, seen: Pictures, ask: JudgeOptions, progress: Progress) -> None:
    says = [e.says for e in expressions().values()]

    def batch(step: int, salt: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(7919 * salt + step)
        index = torch.randint(0, len(seen.pixels), (ask.batch,), generator=draw)
        return index, _seen(seen.pixels[index], draw)

    def spoken(data: tuple[Tensor, Tensor], net: MiniClip) -> Tensor:
        index, pixels = data
        pick = np.random.default_rng(int(index.sum()))
        texts = net.text([s[int(pick.integers(0, len(s)))] for s in says])
        return contrast(net.image(pixels), texts, seen.label[index], net.scale)

    def told(title: str) -> Progress:
        return lambda done, of, stage="": progress(done, of, title)

    for salt, (name, net) in enumerate((("guide", made.guide), ("score", made.score))):
        learn(name, net, lambda step, salt=salt: batch(step, salt),  # type: ignore[misc]
              lambda data, net=net: spoken(data, net), ask.steps, ask.lr, told(f"mini-CLIP ({name})"))  # type: ignore[misc]
    learn("actions", made.actions, lambda step: batch(step, 2),
          lambda data: F.mse_loss(made.actions(data[1]), seen.actions[data[0]].clamp(-0.2, 1.3)), ask.steps, ask.lr,
          told("actions"))
    by_person = [torch.nonzero(seen.person == k)[:, 0] for k in range(int(seen.person.max()) + 1)]
    by_person = [p for p in by_person if len(p) > 1]

    def two(step: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(104729 + step)
        pairs = torch.stack([p[torch.randperm(len(p), generator=draw)[:2]] for p in by_person])
        return _seen(seen.pixels[pairs[:, 0]], draw), _seen(seen.pixels[pairs[:, 1]], draw)

    learn("identity", made.identity, two, lambda data: same_person(made.person(data[0]), made.person(data[1])), ask.steps, ask.lr,
          told("identity"))


def _seen(pixels: Tensor, draw: torch.Generator) -> Tensor:
    """Pictures in [0,1], a little brighter or darker, and shifted by a pixel or two."""
    bright = 0.9 + 0.2 * torch.rand(len(pixels), 1, 1, 1, generator=draw)
    x, y = (int(v) for v in torch.randint(-2, 3, (2,), generator=draw))
    return torch.roll((pixels.float() / 255 * bright).clamp(0, 1), (y, x), (2, 3))


@torch.no_grad()
def judge_figures(judges: Judges, generator: TexturedHeadGenerator, people: People, count: int, seed: int) -> dict[str, float]:
    """How good the judges are on people whom they have not seen.

    Returns:
        ``retrieval``: share of pictures of the six prompts whose prompt is the nearest of the six; ``wrong``: share of wrong
        pictures that are further from every prompt than the median right picture is from its own; ``actions``: mean absolute
        error of intensities; ``identity``: share of pictures whose nearest other picture is of the same person.
    """
    seen = render(generator, people, count, 0.25, seed)
    pixels = seen.pixels.float() / 255
    image, text = judges.score.image(pixels), judges.score.text([e.says[0] for e in list(expressions().values())[:PROMPTS]])
    near = image @ text.T
    asked = (seen.label >= 0) & (seen.label < PROMPTS)
    own = near[asked].gather(1, seen.label[asked][:, None])[:, 0]
    who = judges.person(pixels)
    alike = (who @ who.T).fill_diagonal_(-2).argmax(1)
    return {"retrieval": float((near[asked].argmax(1) == seen.label[asked]).float().mean()),
            "wrong": float((near[seen.label < 0].amax(1) < own.median()).float().mean()),
            "actions": float((judges.actions(pixels) - seen.actions).abs().mean()),
            "identity": float((seen.person[alike] == seen.person).float().mean())}
