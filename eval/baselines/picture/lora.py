"""Training of DiffEdit's LoRA as in the thesis: rank 16 in the U-Net's attention, MSE and LPIPS, the masked region weighted up.

A. Syed, "From Words to 3D Faces" (2025), section 3.1. Given there: pairs neutral -> emotional of KDEF, prompts such as "happy
face", rank 16, a mask made on the fly from noise differences with the empty prompt, the loss MSE + LPIPS with the masked area
prioritised and the rest pushed to the input, 50 epochs, the best by LPIPS on held-out pairs. Not given, and
chosen here: learning rate, weights, which step of the noise is trained (drawn evenly from the part that editing uses), and that
the loss is taken on the clean picture which one prediction means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ....common.files import atomic_folder, write_json
from ....common.optional import require
from ....common.progress import Progress
from ....common.training import Every, Losses, Plan, Reached, Run, Task, fit
from ....face.io.photo import load_picture
from ...photo.judges import Lpips
from .diffedit import StableDiffusion, mask_of, original_of
from .kdef import Pair

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""Layers of the U-Net's attention that get a LoRA."""


@dataclass(frozen=True)
class LoraOptions:
    """Numbers of the training.

    Raises:
        ValueError: one out of range.
    """

    rank: int = 16
    epochs: int = 50
    lr: float = 1e-4
    perceptual: float = 0.1
    """Weight of LPIPS beside MSE."""
    inside: float = 5.0
    """Weight of the masked area; the rest has 1."""
    most: float = 0.8
    """Share of the schedule up to which steps are drawn."""
    maps: int = 2
    """Draws of noise for the mask on the fly."""
    ratio: float = 3.0
    threshold: float = 0.5
    """Of the mask, as in :class:`~.diffedit.DiffEditOptions`."""
    side: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("rank", 1, 512), ("epochs", 1, 100_000), ("lr", 1e-7, 1), ("perceptual", 0, 100),
                                ("inside", 1, 1000), ("most", 0.02, 1), ("maps", 1, 100), ("side", 64, 2048)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; allowed: {low:g} to {high:g}")


def edit_loss(made: Tensor, source: Tensor, target: Tensor, mask: Tensor, inside: float, perceptual: float, lpips: Lpips | None
              ) -> tuple[Tensor, Tensor]:
    """The thesis' loss on pictures (B,3,h,w) in [-1,1] with masks (B,1,h,w).

    Aimed at is the target inside the mask and the source outside; squared errors inside count ``inside`` times.

    Returns:
        The weighted MSE, and ``perceptual`` times LPIPS to what is aimed at; scalars.
    """
    aim = mask * target + (1 - mask) * source
    weight = 1 + (inside - 1) * mask
    mse = (weight * (made - aim) ** 2).sum() / (weight.sum() * made.shape[1])
    return mse, perceptual * lpips.distance(made, aim).mean() if lpips is not None else mse.new_zeros(())


class _Edits(Task):
    title = "DiffEdit LoRA"

    def __init__(self, model: StableDiffusion, train: Sequence[Pair], held: Sequence[Pair], lpips: Lpips | None, ask: LoraOptions
                 ) -> None:
        peft = require("peft", "t2v", "the LoRA needs peft")
        torch.manual_seed(ask.seed)
        model.unet.add_adapter(peft.LoraConfig(r=ask.rank, lora_alpha=ask.rank, target_modules=list(ATTENTION)))
        self.base, self.ask, self.lpips = model, ask, lpips
        self.model = model.unet
        self.learned = {n: p for n, p in model.unet.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(self.learned.values(), ask.lr)
        self.train, self.held = list(train), list(held)
        self.count = max(1, round(ask.most * model.forward_steps.config.num_train_timesteps))
        self.key = {"rank": ask.rank, "seed": ask.seed, "pairs": len(train)}

    def state(self) -> dict[str, Tensor]:
        return {n: p.detach() for n, p in self.learned.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.learned.items():
                value.copy_(state[name])

    def batches(self, reached: Reached) -> Iterator[tuple[Any, Any]]:
        step = reached.step
        while True:
            epoch, k = divmod(step, len(self.train))
            order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(self.ask.seed + epoch))
            step += 1
            yield (self.train[int(order[k])], step), step

    def losses(self, batch: Any) -> Losses:
        pair, seed = batch
        mse, seen = self._terms(pair, seed)
        return Losses(mse + seen, sums={"mse": mse.detach(), "perceptual": seen.detach()})

    def _terms(self, pair: Pair, seed: int) -> tuple[Tensor, Tensor]:
        source, target, made, mask = self.one(pair, seed)
        return edit_loss(made, source, target, mask, self.ask.inside, self.ask.perceptual, self.lpips)

    def one(self, pair: Pair, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Source, target, what the model makes of the source, and the mask; (1,3,h,w) each, the mask (1,1,h,w)."""
        base, ask, draw = self.base, self.ask, torch.Generator().manual_seed(seed)
        source, target = (base.pixels(load_picture(p).rgb, ask.side) for p in (pair.neutral, pair.target))
        target = F.interpolate(target, source.shape[2:]) if target.shape != source.shape else target
        with torch.no_grad():
            words, empty, latents = base.words([pair.prompt]), base.words([""]), base.encode(source)
            step = torch.randint(0, self.count, (), generator=draw).to(base.device)
            noise = torch.randn((ask.maps + 1, *latents.shape), generator=draw).to(latents)
            difference = base.noise_difference(latents, step, words, empty, noise[1:])[0]
            mask = F.interpolate(mask_of(difference, ask.ratio, ask.threshold)[None, None], source.shape[2:], mode="nearest")
        noisy = base.forward_steps.add_noise(latents, noise[0], step[None])
        clean = original_of(noisy, base.predict(noisy, step, words), base.alphas[step], base.kind)
        return source, target, base.decode(clean), mask

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """LPIPS (without its network: MSE) to the true pictures of held-out persons."""
        self.base.unet.eval()
        found = [(t, m) for _, t, m, _ in (self.one(p, 77 + k) for k, p in enumerate(self.held))]
        if not found:
            return {}
        far = [float(self.lpips.distance(m, t) if self.lpips else ((m - t) ** 2).mean()) for t, m in found]
        return {"held_out": sum(far) / len(far)}

    def score(self, entry: dict[str, float]) -> float | None:  # type: ignore[override]
        return entry.get("held_out")


def train_lora(model: StableDiffusion, train: Sequence[Pair], held: Sequence[Pair], out: str | Path, lpips: Lpips | None = None,
               options: LoraOptions | None = None, progress: Progress | None = None) -> dict[str, float]:
    """Train a LoRA on pairs of pictures, and write it as diffusers does, with ``training.json`` beside it.

    Args:
        model: takes the LoRA; its other weights stay.
        train, held: pairs; see :func:`~.kdef.held_out`.
        out: folder that appears whole.
        lpips: the network of the perceptual loss; None: MSE alone.
        options: numbers.
        progress: called with (steps done, of all).

    Returns:
        The last validation's figures and the trained parameters' number.

    Raises:
        ValueError: no pairs, or the loss is not finite.
    """
    if not train:
        raise ValueError("no pairs to train on; needed: pictures of at least two persons, one of whom is held out")
    ask = options or LoraOptions()
    task = _Edits(model, train, held, lpips, ask)
    steps = ask.epochs * len(train)
    run = Run(task, Plan(steps=steps, clip=1.0, validate=Every(steps=max(len(train), math.ceil(steps / 50)))))
    reached = fit(run, progress)
    if not reached.history or reached.step % max(len(train), math.ceil(steps / 50)):
        run.validate(0.0)
    run.finish()
    best = reached.history[reached.best]
    facts = {**best, "parameters": float(sum(p.numel() for p in task.learned.values())), "steps": float(reached.step)}
    with atomic_folder(out) as part:
        model.unet.save_lora_adapter(str(part))
        write_json(part / "training.json", {"options": vars(ask), **facts, "pairs": len(train), "held_out_pairs": len(held)})
    return facts
