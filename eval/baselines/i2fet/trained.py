"""What all trained baselines share: a model with its recipe, the head it moves, its history and its folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from ....common.config import parse
from ....common.progress import Progress
from ....face.clip.sequence import HeadRef
from ....face.head.model import HeadModel
from .arrays import unique_sentences
from .config import FitConfig, Recipe
from .loop import History, Losses, fit, load_weights, read_config, save_model
from .text import TextEncoder, text_encoder

Model = TypeVar("Model", bound=nn.Module)
Rows = Callable[[Tensor, Tensor], Tensor]
"""Features ``(U, tokens, dim)`` and mask ``(U, tokens)`` of U sentences -> ``(U, ...)``."""


@dataclass
class Trained(Generic[Model]):
    """A trained baseline.

    Attributes:
        model: on the CPU or wherever it was trained.
        recipe: it was trained with.
        head: text form of the head's reference; head_sha256: of the head whose parameters it makes.
        history: losses of its training.
        key: fingerprint of configuration and data.
    """

    FORMAT: ClassVar[str]
    """Of the folder's ``config.json``."""
    TITLE: ClassVar[str]
    SIZES: ClassVar[tuple[str, ...]]
    """Widths that :meth:`build` needs, by their names in ``config.json``."""

    model: Model
    recipe: Recipe
    head: str
    head_sha256: str
    history: History = field(default_factory=History)
    key: str = ""

    def sizes(self) -> dict[str, int]:
        """The model's :attr:`SIZES`."""
        raise NotImplementedError

    @classmethod
    def build(cls, recipe: Recipe, sizes: dict[str, int]) -> Model:
        """The network, untrained."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Further entries of ``config.json``."""
        return {}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """``model.safetensors`` and ``config.json``; a text encoder is named, not copied."""
        save_model(folder, self.model, {
            "format": self.FORMAT, "version": 1, "recipe": self.recipe.to_dict(), "head": self.head,
            "head_sha256": self.head_sha256, **self.more(), **self.sizes(), "key": self.key,
            "history": dataclasses.asdict(self.history)})

    @classmethod
    def load(cls, folder: str | os.PathLike[str], head: HeadModel | None = None) -> Self:
        """What :meth:`save` wrote.

        Args:
            folder: the folder.
            head: the head to be driven; another one than in training is refused.

        Raises:
            FileNotFoundError: no such model; ValueError: damaged, or of another head.
        """
        raw = read_config(folder, cls.FORMAT)
        try:
            recipe = parse(Recipe, raw["recipe"], f"{folder}, recipe")
            sizes = {name: int(raw[name]) for name in cls.SIZES}
            if wrong := {n: v for n, v in sizes.items() if not 1 <= v <= 8192}:
                raise ValueError(f"sizes {wrong} are not 1 to 8192")
            made = cls(cls.build(recipe, sizes), recipe, HeadRef.stored_text(str(raw["head"])),
                       HeadRef.stored("", "", str(raw["head_sha256"])).sha256, History(**raw["history"]),
                       str(raw["key"]))
            made._read_more(raw)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder}: config.json is not that of a trained {cls.TITLE} ({error})") from error
        load_weights(folder, made.model)
        if head is not None and made.head_sha256 != head.sha256:
            raise ValueError(f"this model makes parameters of the head {made.head}, not of {head.ref}; train one for that head")
        return made

    def _read_more(self, raw: dict[str, Any]) -> None:
        """Take what :meth:`more` wrote."""

    @classmethod
    def learn(cls, recipe: Recipe, sizes: dict[str, int], settings: FitConfig, prepare: Callable[[Model], Losses], train: Tensor,
              val: Tensor, *, head: HeadModel, key: str, out: str | os.PathLike[str] | None, progress: Progress | None,
              **more: str) -> Self:
        """Train, go on with a training that was interrupted, or load one that has already ended.

        Args:
            settings: how long and how fast.
            prepare: sets the scales of the new network and gives its losses.
            train, val: indices of the samples, on the training's device.
            key: fingerprint of configuration and data.
            out: folder of checkpoint and result; None keeps nothing.
            more: further attributes of the result.

        Raises:
            ValueError: the folder holds the model of another training, or what ``loop.fit`` refuses.
        """
        folder = None if out is None else Path(out)
        if folder is not None and (folder / "config.json").is_file():
            found = cls.load(folder, head)
            if found.key != key:
                raise ValueError(f"{folder} holds a model of another configuration or other data; delete it or use another "
                                 "folder")
            found.model.to(train.device)
            return found
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            model = cls.build(recipe, sizes)
        model.to(train.device)
        history = fit(model, prepare(model), train, val, settings, key=key, out=folder, progress=progress, title=cls.TITLE)
        made = cls(model, recipe, str(head.ref), head.sha256, history, key, **more)
        if folder is not None:
            made.save(folder)
        return made


@dataclass
class TextDriven(Trained[Model]):
    """A trained baseline that reads instructions.

    Attributes:
        encoder: of instructions; made from the recipe when first needed.
        encoder_name: of the one it was trained with.
    """

    encoder: TextEncoder | None = None
    encoder_name: str = ""

    def more(self) -> dict[str, Any]:
        return {"text_encoder": self.encoder_name}

    def _read_more(self, raw: dict[str, Any]) -> None:
        self.encoder_name = str(raw["text_encoder"])

    def with_encoder(self, encoder: TextEncoder | None) -> Self:
        """This, reading with an encoder that is already loaded (None: as it is)."""
        self.encoder = encoder or self.encoder
        return self

    def of_sentences(self, instructions: Sequence[str], rows: Rows) -> Tensor:
        """``rows`` of the distinct sentences, one row for each instruction.

        Raises:
            ValueError: not text, or a text encoder of another width than in training.
        """
        if self.encoder is None:
            self.encoder = text_encoder(self.recipe.text)
        sentences, index = unique_sentences(instructions)
        features, mask = self.encoder.encode(sentences)
        width = self.sizes()["text_dim"]
        if features.shape[-1] != width:
            raise ValueError(f"the text encoder {self.encoder.name} gives {features.shape[-1]} columns; this model was trained "
                             f"with {width} of {self.encoder_name or 'another encoder'}")
        device = next(self.model.parameters()).device
        return rows(features.to(device), mask.to(device))[torch.from_numpy(index).to(device)]
