"""Text and picture in one space: the slot, CLIP from a folder, and a mini-CLIP for our own renders.

No package carries CLIP's weights, so the default is trained here, on pictures by :class:`~.generator.TexturedHeadGenerator` with
captions of known expressions, and with wrong pictures that fit no caption: a judge that has seen none calls grimaces
happy. CLIP: Radford et al. 2021, https://arxiv.org/abs/2103.00020.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 64
"""Of the mini-CLIP's space."""
_WORD = re.compile(r"[a-z]+")


class TextImageEmbedder(Protocol):
    """Puts texts and pictures into one space of unit vectors."""

    def text(self, texts: Sequence[str]) -> Tensor:
        """(N,D) of texts."""
        ...

    def image(self, pictures: Tensor) -> Tensor:
        """(B,D) of pictures (B,3,H,W) in [0,1]; differentiable."""
        ...


class Encoder(nn.Module):
    """Half a million parameters: pictures (B,3,64,64) in [0,1] to ``width`` numbers."""

    def __init__(self, width: int, channels: tuple[int, int, int, int] = (24, 48, 96, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for low, high in zip((3, *channels[:-1]), channels, strict=True):
            layers += [nn.Conv2d(low, high, 3, 2, 1), nn.BatchNorm2d(high), nn.ReLU()]
        self.body, self.out = nn.Sequential(*layers), nn.Linear(channels[-1] * 16, width)

    def forward(self, pictures: Tensor) -> Tensor:
        """Any other size is scaled to 64 px."""
        if pictures.shape[-2:] != (64, 64):
            pictures = F.interpolate(pictures, (64, 64), mode="bilinear", antialias=True, align_corners=False)
        return self.out(self.body(pictures * 2 - 1).flatten(1))


class MiniClip(nn.Module):
    """The default :class:`TextImageEmbedder`.

    Args:
        words: the words that it knows.
        channels: of the picture's encoder.
    """

    def __init__(self, words: Sequence[str], channels: tuple[int, int, int, int] = (24, 48, 96, 128)) -> None:
        super().__init__()
        self.words = {w: k for k, w in enumerate(words)}
        self.picture = Encoder(WIDTH, channels)
        self.bag, self.say = nn.EmbeddingBag(len(self.words), WIDTH, mode="mean"), nn.Linear(WIDTH, WIDTH)
        # what all faces share would outweigh what differs, and both sides collapse: each dimension is centred and scaled
        self.even = nn.BatchNorm1d(WIDTH, affine=False)
        self.scale = nn.Parameter(torch.tensor(2.3))

    def text(self, texts: Sequence[str]) -> Tensor:
        """(N,D) unit vectors; words that were not in the captions are passed over.

        Raises:
            ValueError: a text without any known word.
        """
        ids = []
        for text in texts:
            known = [self.words[w] for w in _WORD.findall(text.lower()) if w in self.words]
            if not known:
                raise ValueError(f"{text!r} has no word that the mini-CLIP knows; it knows, for example, smiling, angry, eyes")
            ids.append(torch.tensor(known))
        starts = torch.tensor([0, *[len(i) for i in ids[:-1]]]).cumsum(0)
        return F.normalize(self.say(torch.relu(self.bag(torch.cat(ids), starts))), dim=-1)

    def image(self, pictures: Tensor) -> Tensor:
        """(B,D) unit vectors."""
        return F.normalize(self.even(self.picture(pictures)), dim=-1)


def caption_words(captions: Sequence[str]) -> list[str]:
    """The words of captions, each once, sorted."""
    return sorted({w for c in captions for w in _WORD.findall(c.lower())})


def contrast(images: Tensor, texts: Tensor, label: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE with wrong pictures among the negatives.

    Args:
        images: (B,D) unit vectors; texts: (C,D), one a class; label: (B,) the class, -1 of pictures that fit no text.
        scale: logarithm of the inverse temperature.

    Returns:
        Half the mean over rightly labelled pictures of -log p(text | picture), and half that over classes of
        -log p(its pictures | text) among all pictures, wrong ones too; a scalar.
    """
    logits = scale.exp() * images @ texts.T
    right = label >= 0
    by_picture = F.cross_entropy(logits[right], label[right])
    share = logits.log_softmax(0)
    own = F.one_hot(label.clamp_min(0), len(texts)).bool() & right[:, None]
    there = own.any(0)
    by_text = -share.masked_fill(~own, float("-inf")).logsumexp(0)[there].mean()
    return 0.5 * (by_picture + by_text)


def same_person(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Each row's partner is the same row of the other batch, (B,D) unit vectors; NT-Xent without own-side negatives."""
    logits = first @ second.T / temperature
    aim = torch.arange(len(first))
    return 0.5 * (F.cross_entropy(logits, aim) + F.cross_entropy(logits.T, aim))


class ClipEmbedder:
    """CLIP from a local folder in transformers' layout; nothing is fetched.

    Raises:
        FileNotFoundError: no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise FileNotFoundError(f"{path} is no CLIP folder: it lacks config.json; needed: transformers' layout, e.g. a copy "
                                    "of openai/clip-vit-base-patch32")
        from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

        self.model = CLIPModel.from_pretrained(path, local_files_only=True, use_safetensors=True).eval().requires_grad_(False)
        self.tokens = CLIPTokenizer.from_pretrained(path, local_files_only=True)
        how = CLIPImageProcessor.from_pretrained(path, local_files_only=True)
        self.mean, self.std = (torch.tensor(v)[None, :, None, None] for v in (how.image_mean, how.image_std))
        self.side = int(self.model.config.vision_config.image_size)

    def text(self, texts: Sequence[str]) -> Tensor:
        """See :class:`TextImageEmbedder`."""
        ids = self.tokens(list(texts), padding=True, truncation=True, return_tensors="pt")
        pooled = self.model.text_model(**ids).pooler_output
        return F.normalize(self.model.text_projection(pooled), dim=-1)

    def image(self, pictures: Tensor) -> Tensor:
        """See :class:`TextImageEmbedder`."""
        scaled = F.interpolate(pictures, (self.side, self.side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        pooled = self.model.vision_model(pixel_values=(scaled - self.mean) / self.std).pooler_output
        return F.normalize(self.model.visual_projection(pooled), dim=-1)
