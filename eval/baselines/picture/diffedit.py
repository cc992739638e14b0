"""DiffEdit on a local Stable Diffusion folder: a mask from noise differences, inversion, masked denoising.

G. Couairon et al. 2022, https://arxiv.org/abs/2210.11427, as the thesis of A. Syed ("From Words to 3D Faces", 2025) uses it:
50 DDIM steps, the reference prompt empty, a LoRA in the attention of the U-Net. Guidance, mask threshold and
encoding ratio are not given there; those here are the usual ones of diffusers' pipeline. Needs ``facelm[t2v]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ....common.optional import require
from .slots import EditedPicture

Rgb = NDArray[np.uint8]
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
"""Folders of a Stable Diffusion folder in diffusers' layout."""
LORA_FILE = "pytorch_lora_weights.safetensors"
TEMPLATE = "a person with a {} facial expression"
"""The thesis' prompt around one word."""


@dataclass(frozen=True)
class DiffEditOptions:
    """Numbers of the editor.

    Raises:
        ValueError: one out of range.
    """

    steps: int = 50
    """DDIM steps of the whole schedule."""
    encode: float = 0.8
    """Share of the schedule up to which the picture is inverted; how much may change inside the mask."""
    guidance: float = 7.5
    """Of the prompt when denoising; 1 is none."""
    noise: float = 0.5
    """Share of the schedule at which the mask's noise is predicted."""
    maps: int = 10
    """Draws of noise that the mask is averaged over."""
    ratio: float = 3.0
    """Differences are cut at so many times their mean before the threshold."""
    threshold: float = 0.5
    """Of the cut differences, in (0, 1)."""
    side: int = 512
    """Longer side of the picture that the model sees, px."""
    feather: float = 0.01
    """Softness of the mask's border in the result, share of the picture's side."""

    def __post_init__(self) -> None:
        for name, low, high in (("steps", 2, 1000), ("encode", 0.02, 1), ("guidance", 1, 30), ("noise", 0.02, 1),
                                ("maps", 1, 100), ("ratio", 0.1, 100), ("threshold", 0.01, 0.99), ("side", 64, 2048),
                                ("feather", 0, 0.2)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; allowed: {low:g} to {high:g}")


def mask_of(difference: Tensor, ratio: float, threshold: float) -> Tensor:
    """(h,w) 0 or 1: differences (h,w) cut at ``ratio`` times their mean, scaled to [0,1], above the threshold."""
    cut = difference.mean() * ratio
    return (difference.clamp(0, float(cut)) / cut.clamp_min(1e-12) > threshold).float()


def original_of(noisy: Tensor, predicted: Tensor, alpha: Tensor, kind: str) -> Tensor:
    """The clean latents that a prediction means; ``alpha``: cumulated at the noisy latents' step, broadcastable."""
    if kind == "epsilon":
        return (noisy - (1 - alpha).sqrt() * predicted) / alpha.sqrt()
    if kind == "v_prediction":
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * predicted
    if kind == "sample":
        return predicted
    raise ValueError(f"prediction_type is {kind!r}; allowed: epsilon, v_prediction, sample")


class StableDiffusion:
    """The parts of a Stable Diffusion folder, frozen.

    Args:
        folder: in diffusers' layout, with safetensors; nothing is fetched.
        adapter: folder of a LoRA that :func:`~.lora.train_lora` wrote.
        device: of torch.

    Raises:
        FileNotFoundError: no such folder, or a part of it is missing.
        ImportError: diffusers is not installed.
    """

    def __init__(self, folder: str | Path, adapter: str | Path | None = None, device: str = "cpu") -> None:
        path = Path(folder)
        if missing := [p for p in PARTS if not (path / p).is_dir()]:
            raise FileNotFoundError(f"{path} is no Stable Diffusion folder: it lacks {missing[0]}/; needed: diffusers' layout "
                                    f"with {', '.join(PARTS)}")
        diffusers = require("diffusers", "t2v", "DiffEdit needs diffusers")
        from transformers import CLIPTextModel, CLIPTokenizer

        here: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
        self.device = torch.device(device)
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(path / "unet", **here).to(self.device)
        self.vae = diffusers.AutoencoderKL.from_pretrained(path / "vae", **here).to(self.device)
        text: Any = CLIPTextModel.from_pretrained(path / "text_encoder", **here)
        self.text = text.to(self.device)
        self.tokenizer = CLIPTokenizer.from_pretrained(path / "tokenizer", local_files_only=True)
        config = diffusers.DDIMScheduler.from_pretrained(path / "scheduler", local_files_only=True).config
        fixed = {"clip_sample": False, "set_alpha_to_one": False}
        self.forward_steps = diffusers.DDIMScheduler.from_config(config, **fixed)
        self.backward_steps = diffusers.DDIMInverseScheduler.from_config(config, **fixed)
        self.kind = str(config.prediction_type)
        self.alphas = self.forward_steps.alphas_cumprod.to(self.device)
        self.grain = 2 ** (len(self.vae.config.block_out_channels) - 1)
        """Pixels of a latent's side."""
        self.multiple = self.grain * 2 ** (len(self.unet.config.block_out_channels) - 1)
        if adapter is not None:
            if not Path(adapter).is_dir():
                raise FileNotFoundError(f"{adapter}: no such folder with a LoRA")
            self.unet.load_lora_adapter(str(adapter), prefix=None, use_safetensors=True, local_files_only=True,
                                        weight_name=LORA_FILE)
        for part in (self.unet, self.vae, self.text):
            part.requires_grad_(False).eval()

    @torch.no_grad()
    def words(self, prompts: list[str]) -> Tensor:
        """(B, tokens, width) of prompts."""
        ids = self.tokenizer(prompts, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True,
                             return_tensors="pt").input_ids
        return self.text(ids.to(self.device))[0]

    def pixels(self, rgb: Rgb, side: int) -> Tensor:
        """(1,3,h,w) in [-1,1]: a picture scaled to what the model takes, its longer side near ``side``."""
        high, wide = rgb.shape[:2]
        scale = side / max(high, wide)
        size = [max(self.multiple, round(x * scale / self.multiple) * self.multiple) for x in (wide, high)]
        small = Image.fromarray(rgb).resize((size[0], size[1]), Image.Resampling.LANCZOS)
        return (torch.from_numpy(np.array(small)).float().permute(2, 0, 1)[None] / 127.5 - 1).to(self.device)

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents of pixels (B,3,h,w): the mean of the encoder."""
        return self.vae.encode(pixels).latent_dist.mode() * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels (B,3,h,w), about [-1,1]."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample

    def predict(self, latents: Tensor, step: Tensor, words: Tensor) -> Tensor:
        """What the U-Net says of noisy latents (B,...) at a step, given words (B, tokens, width)."""
        return self.unet(latents, step, encoder_hidden_states=words).sample

    def noise_difference(self, latents: Tensor, step: Tensor, words: Tensor, reference: Tensor, noise: Tensor) -> Tensor:
        """(B,h,w) mean over channels and draws of |prediction with words - prediction with the reference|.

        Args:
            latents: (B,C,h,w); step: a number; words, reference: (B, tokens, width); noise: (N,B,C,h,w).
        """
        total = torch.zeros_like(latents[:, 0])
        for draw in noise:
            noisy = self.forward_steps.add_noise(latents, draw, step.expand(len(latents)))
            total += (self.predict(noisy, step, words) - self.predict(noisy, step, reference)).abs().mean(1)
        return total / len(noise)


class DiffEditEditor:
    """A :class:`~.slots.PictureEditor` by DiffEdit.

    Args:
        model: the diffusion model.
        options: numbers.
    """

    def __init__(self, model: StableDiffusion, options: DiffEditOptions | None = None) -> None:
        self.model, self.options = model, options or DiffEditOptions()
        self.name = "DiffEdit"

    @torch.no_grad()
    def edit(self, rgb: Rgb, prompt: str, seed: int = 0) -> EditedPicture:
        """See :class:`~.slots.PictureEditor`; one word is put into the thesis' template. What the mask leaves out keeps its bits.

        Raises:
            ValueError: not an RGB picture, or an empty prompt.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"the picture is {rgb.shape} of {rgb.dtype}; needed: (H, W, 3) uint8")
        if not prompt.strip():
            raise ValueError("the prompt is empty; write an expression, e.g. happy")
        said = TEMPLATE.format(prompt) if len(prompt.split()) == 1 else prompt
        words, empty = self.model.words([said]), self.model.words([""])
        latents = self.model.encode(self.model.pixels(rgb, self.options.side))
        mask = self.mask(latents, words, empty, seed)
        decoded = self.model.decode(self.denoise(self.invert(latents, empty), mask, words, empty))[0]
        high, wide = rgb.shape[:2]
        soft = F.interpolate(mask[None, None], (high, wide), mode="nearest")[0, 0]
        if sigma := self.options.feather * max(high, wide):
            from scipy.ndimage import gaussian_filter

            soft = torch.from_numpy(gaussian_filter(soft.cpu().numpy(), sigma, truncate=2)).to(soft)
        large = F.interpolate(decoded[None], (high, wide), mode="bicubic", antialias=True)[0].clamp(-1, 1)
        made = (large.permute(1, 2, 0).cpu().numpy() + 1) * 127.5
        weight = soft.cpu().numpy()[..., None]
        out = np.where(weight > 0, np.rint(weight * made + (1 - weight) * rgb), rgb).astype(np.uint8)
        return EditedPicture(out, weight[..., 0])

    def mask(self, latents: Tensor, words: Tensor, reference: Tensor, seed: int = 0) -> Tensor:
        """(h,w) 0 or 1: where the words change what is predicted of latents (1,C,h,w)."""
        ask, draw = self.options, torch.Generator().manual_seed(seed)
        steps = self.forward(ask.noise)
        noise = torch.randn((ask.maps, *latents.shape), generator=draw).to(latents)
        difference = self.model.noise_difference(latents, steps[0], words, reference, noise)[0]
        return mask_of(difference, ask.ratio, ask.threshold)

    def forward(self, share: float) -> Tensor:
        """The last steps of the denoising schedule, from the given share of it on."""
        scheduler = self.model.forward_steps
        scheduler.set_timesteps(self.options.steps, device=self.model.device)
        count = max(1, min(int(self.options.steps * share), self.options.steps))
        return scheduler.timesteps[self.options.steps - count:]

    def invert(self, latents: Tensor, words: Tensor) -> list[Tensor]:
        """Latents from the encoded share of the schedule (first) down to the clean ones (last), by DDIM backwards."""
        ask, scheduler = self.options, self.model.backward_steps
        scheduler.set_timesteps(ask.steps, device=self.model.device)
        found = [latents]
        for step in scheduler.timesteps[:len(self.forward(ask.encode))]:
            found.append(scheduler.step(self.model.predict(found[-1], step, words), step, found[-1]).prev_sample)
        return found[::-1]

    def denoise(self, inverted: list[Tensor], mask: Tensor, words: Tensor, reference: Tensor) -> Tensor:
        """Denoise with guidance inside the mask (h,w); outside it every step is the inverted one."""
        ask, latents = self.options, inverted[0]
        for step, kept in zip(self.forward(ask.encode), inverted[1:], strict=True):
            predicted = self.model.predict(latents, step, words)
            if ask.guidance > 1:
                free = self.model.predict(latents, step, reference)
                predicted = free + ask.guidance * (predicted - free)
            latents = self.model.forward_steps.step(predicted, step, latents, eta=0.0).prev_sample
            latents = mask * latents + (1 - mask) * kept
        return latents
