"""What all peers are: stages that are trained one after another, a folder, and words to motion."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ....common.files import parse_json, read_text, write_json
from ....common.tensors import load_tensors, save_tensors
from ....face.clip.sequence import FaceSequence
from ....face.head.model import HeadModel
from ....llm.base import BaseModel
from ....llm.model import base_check
from ....tokenizer.features import to_sequence
from .codec import Codec
from .config import Kind, Recipe
from .data import FPS, Draws, Scale, embed, feature_scale

FORMAT, VERSION = "facelm-peer", 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    Attributes:
        frames: ``(B, T, F)`` scaled features, each clip extended by its last frame.
        length: ``(B,)`` frames of each clip.
        sentence: ``(B, D)`` scaled embeddings of the captions.
        texts: the captions.
        codes: ``(B, T', layers)`` of a trained codec, -1 after a clip's end; empty when there is none.
        tokens: number of codes, or of frames without codes.
    """

    frames: Tensor
    length: Tensor
    sentence: Tensor
    texts: tuple[str, ...]
    codes: Tensor
    tokens: int

    @property
    def steps(self) -> Tensor:
        """``(B,)`` numbers of codes."""
        return (self.codes[..., 0] >= 0).sum(1)


class Peer(nn.Module):
    """A model of words to motion; subclasses say how.

    Args:
        recipe: sizes and training.
        base: embeds sentences.
    """

    KIND: ClassVar[Kind]
    TITLE: ClassVar[str]
    STAGES: ClassVar[tuple[str, ...]]
    """Names of the submodules that are trained, in this order; the stage ``codec`` sees windows."""
    at_once: ClassVar[int] = 64
    """Performances in a batch."""
    EMBEDS: ClassVar[bool] = True
    """Whether sentences come as embeddings."""

    def __init__(self, recipe: Recipe, base: BaseModel) -> None:
        super().__init__()
        self.recipe, self.base = recipe, base
        self.text_dim = int(base.model.config.hidden_size)
        self.scale, self.sentence_scale = feature_scale(), Scale(self.text_dim)
        self.training_facts: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """As tables call it."""
        return self.TITLE

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.scale.mean.device

    @property
    def longest(self) -> int:
        """Most frames of a performance."""
        return round(self.recipe.data.seconds * FPS)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """The loss of a stage."""
        raise NotImplementedError

    def codes(self, frames: Tensor) -> Tensor | None:
        """Codes ``(B, T', layers)`` of scaled frames ``(B, T, F)`` by the trained codec; None when there is none."""
        return None

    def step(self) -> int:
        """Frames of a code; 1 without codes."""
        return 1

    def sample(self, texts: Sequence[str], frames: Sequence[int | None], draws: Draws) -> list[Tensor]:
        """Scaled features ``(T, F)`` for each text; T at least as asked for, where it is."""
        raise NotImplementedError

    # -- use --------------------------------------------------------------------------
    @torch.no_grad()
    def sentences(self, texts: Sequence[str]) -> Tensor:
        """``(B, D)`` scaled embeddings."""
        out: Tensor = self.sentence_scale(embed(texts, self.base).to(self.device))
        return out

    @torch.no_grad()
    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """One clip of the default head for each text.

        Args:
            texts: what the faces should do.
            seconds: lengths of the clips, exact to the frame; None: the model chooses, as its paper does. What is longer than
                in training holds its last pose.
            seed: text ``i`` is performed with ``seed + i``.

        Raises:
            ValueError: an empty text, a length that is not positive, or as many lengths as there are not texts.
        """
        if isinstance(texts, str) or len(texts) != len(seconds):
            raise ValueError(f"{len(texts)} texts and {len(seconds)} lengths; one length (or None) for each text is needed")
        for text, length in zip(texts, seconds, strict=True):
            if not text.strip():
                raise ValueError("a text is empty; say what the face does")
            if length is not None and not 0 < length <= 3600:
                raise ValueError(f"seconds is {length:g}; allowed: above 0, up to 3600")
        self.eval()
        head = HeadModel.default()
        asked = [None if s is None else max(1, round(s * FPS)) for s in seconds]
        out = []
        for low in range(0, len(texts), self.at_once):
            part = slice(low, low + self.at_once)
            draws = Draws([seed + i for i in range(len(texts))[part]], self.device)
            wanted = [None if n is None else min(n, self.longest) for n in asked[part]]
            for made, frames in zip(self.sample(texts[part], wanted, draws), asked[part], strict=True):
                features = self.scale.back(made).float().cpu().numpy()[:frames]
                features = np.pad(features, ((0, max(0, (frames or 0) - len(features))), (0, 0)), mode="edge")
                out.append(to_sequence(features, head.ref, np.zeros(head.n_shape, np.float32), FPS))
        return out

    # -- files ------------------------------------------------------------------------
    def save(self, folder: str | os.PathLike[str]) -> None:
        """``model.safetensors`` (weights and statistics, without the base's) and, after it, ``config.json``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS, trained_state(self))
        head = HeadModel.default()
        write_json(folder / CONFIG, {
            "format": FORMAT, "version": VERSION, "kind": self.KIND, "recipe": self.recipe.to_dict(), "base": self.base.name,
            "base_check": base_check(self.base.model), "text_dim": self.text_dim, "head": str(head.ref),
            "head_sha256": head.sha256, "training": self.training_facts,
        }, indent=1)

    def load_weights(self, folder: str | os.PathLike[str]) -> None:
        """Take what :meth:`save` wrote, strictly.

        Raises:
            FileNotFoundError: none there; ValueError: damaged, or of another model.
        """
        file = Path(folder) / WEIGHTS
        try:
            load_trained(self, load_tensors(file).tensors)
        except RuntimeError as error:
            raise ValueError(f"{file} does not hold this model's weights: {' '.join(str(error).split())[:300]}") from error


class CodecPeer(Peer):
    """A peer whose motions are codes."""

    codec: Codec

    def step(self) -> int:
        """Frames of a code."""
        return self.codec.step

    def codes(self, frames: Tensor) -> Tensor:
        """See :meth:`Peer.codes`."""
        return self.codec.encode(frames)


def read_card(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """``config.json`` of a folder of :meth:`Peer.save`, checked.

    Raises:
        FileNotFoundError: no such file; ValueError: damaged, or not a peer's.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no trained peer: {name} is missing; train one with `facelm peer train`")
    raw = parse_json(read_text(folder / CONFIG), folder / CONFIG)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT or raw.get("version") != VERSION:
        raise ValueError(f"{folder / CONFIG} is not of format {FORMAT}, version {VERSION}; train the peer again")
    needed = {"kind": str, "recipe": dict, "base": str, "base_check": str, "text_dim": int, "head": str, "head_sha256": str,
              "training": dict}
    if wrong := [name for name, kind in needed.items() if not isinstance(raw.get(name), kind)]:
        raise ValueError(f"{folder / CONFIG} is damaged: {wrong[0]} is {raw.get(wrong[0])!r}; train the peer again")
    head = HeadModel.default()
    if raw["head_sha256"] != head.sha256:
        raise ValueError(f"the peer in {folder} moves the head {raw['head']}, not {head.ref}; train it again")
    return raw


# -- what is trained of a module ------------------------------------------------------
def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and statistics without those that are frozen (a base language model's)."""
    frozen = {name for name, p in module.named_parameters(remove_duplicate=False) if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def load_trained(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Take what :func:`trained_state` gave.

    Raises:
        RuntimeError: something is missing, too much or of another shape.
    """
    own = trained_state(module)
    if missing := sorted(own.keys() - state.keys()):
        raise RuntimeError(f"{missing[0]} is missing ({len(missing)} in all)")
    if surplus := sorted(state.keys() - own.keys()):
        raise RuntimeError(f"{surplus[0]} does not belong there ({len(surplus)} in all)")
    module.load_state_dict(state, strict=False)  # names were compared; other shapes are still an error


def n_trained(module: nn.Module) -> int:
    """Number of parameters that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
