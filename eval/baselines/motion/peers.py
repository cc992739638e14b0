"""The peers by name: training one by a command, and loading one from its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....common.config import parse
from ....common.progress import Progress, silent
from ....llm.base import BaseModel, load_base
from ....llm.model import base_check, compute_dtype
from .config import Kind, Recipe
from .data import Clips
from .mdm import MDM
from .momask import MoMask
from .motiongpt import MotionGPT
from .peer import Peer, n_trained, read_card
from .t2mgpt import T2MGPT
from .training import Budget, train_stages

PEERS: dict[Kind, type[Peer]] = {cls.KIND: cls for cls in (T2MGPT, MDM, MoMask, MotionGPT)}


def device_of(name: str | None) -> torch.device:
    """``cpu``, ``cuda``, or where None the latter if it is there.

    Raises:
        ValueError: no such device here.
    """
    if name not in (None, "cpu", "cuda"):
        raise ValueError(f"the device is {name!r}; allowed: cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is 'cuda' and there is none here; use cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def build(kind: Kind, recipe: Recipe, device: torch.device | str = "cpu", base: BaseModel | None = None) -> Peer:
    """A new peer of random weights (by the recipe's seed) on a device.

    Raises:
        FileNotFoundError: no base language model.
        ValueError: an unknown kind.
    """
    if kind not in PEERS:
        raise ValueError(f"there is no peer {kind!r}; allowed: {', '.join(PEERS)}")
    speaker = recipe.speaker
    if base is None:
        kept = (speaker.keep_first, speaker.keep_last) if kind == "motiongpt" else (0, 0)
        base = load_base(recipe.data.base, *kept, compute_dtype(device))
    network: Any = base.model
    network.to(device).requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return PEERS[kind](recipe, base).to(device)


def train_peer(kind: Kind, recipe: Recipe, corpus: str | os.PathLike[str] | Clips, out: str | os.PathLike[str], budget: Budget,
               device: str | None = None, progress: Progress = silent, base: BaseModel | None = None,
               embedded: Callable[[Peer, Clips], Tensor] | None = None) -> Peer:
    """Train a peer on a corpus' training split into a folder; a second call goes on, or loads what is there.

    Args:
        kind: t2mgpt, mdm, momask or motiongpt.
        recipe: sizes and training.
        corpus: of `facelm data synth` or `facelm data build`; or clips, on the device.
        out: the folder.
        budget: how long.
        device: cpu or cuda; None takes the latter if it is there.
        base: a loaded base language model; MotionGPT changes it.
        embedded: gives the embeddings of the clips' sentences, which several trainings can share.

    Raises:
        FileNotFoundError, ValueError: no corpus, base or device, or a folder of another training.
    """
    at = device_of(device)
    if at.type == "cuda":
        torch.set_float32_matmul_precision("high")
    clips = corpus if isinstance(corpus, Clips) else Clips.read(corpus, "train", recipe.data, at, progress)
    peer = build(kind, recipe, at, base)
    given = None if embedded is None else lambda: embedded(peer, clips)
    return train_stages(peer, clips, budget, Path(out), progress, given)


def load(folder: str | os.PathLike[str], device: str | None = "cpu", base: BaseModel | None = None) -> Peer:
    """A trained peer from its folder.

    Args:
        folder: of ``facelm peer train``.
        device: cpu, cuda, or None for the latter if it is there.
        base: a loaded base language model instead of the one that the folder names.

    Raises:
        FileNotFoundError: not trained, or no base; ValueError: damaged, of another head or of another base.
    """
    raw = read_card(folder)
    if raw["kind"] not in PEERS:
        raise ValueError(f"{folder}: the kind of peer is {raw['kind']!r}; allowed: {', '.join(PEERS)}")
    recipe = parse(Recipe, raw["recipe"], f"{folder}, recipe")
    peer = build(raw["kind"], recipe, device_of(device), base)
    if base_check(peer.base.model) != raw["base_check"]:
        raise ValueError(f"the peer in {folder} was trained with {raw['base']}; {peer.base.name} has other weights: "
                         "give that base")
    peer.load_weights(folder)
    peer.training_facts = raw["training"]
    return peer.eval()


def with_parameters(kind: Kind, recipe: Recipe, wanted: int) -> Recipe:
    """The recipe with its widths scaled so that the peer trains nearly as many parameters as wanted.

    Raises:
        ValueError: even the narrowest has more than twice as many.
    """
    low, high = 0.02, 16.0
    base, found = _weightless(recipe), recipe
    for _ in range(12):
        middle = (low * high) ** 0.5
        found = recipe.scaled(middle)
        low, high = (middle, high) if count_parameters(kind, found, base) < wanted else (low, middle)
    if (count := count_parameters(kind, found, base)) > 2 * wanted:
        raise ValueError(f"{kind} cannot be made as small as {wanted:,} parameters; its narrowest has {count:,}")
    return found


def count_parameters(kind: Kind, recipe: Recipe, base: BaseModel | None = None) -> int:
    """How many parameters a peer of this recipe trains; none is made.

    Args:
        base: the base language model without weights (on torch's device ``meta``); None loads it.
    """
    base = base or _weightless(recipe)
    with torch.device("meta"):
        return n_trained(PEERS[kind](recipe, replace(base, model=deepcopy(base.model))))


def _weightless(recipe: Recipe) -> BaseModel:
    """The base language model with shapes alone."""
    speaker = recipe.speaker
    base = load_base(recipe.data.base, speaker.keep_first, speaker.keep_last)
    network: Any = base.model
    return replace(base, model=network.to("meta"))
