"""`facelm tokenizer train`, `tokenizer eval`, `train` and `peer train`."""

from __future__ import annotations

from typing import Literal

from ..agent.options import Out, Result, written
from ..agent.requests import output_folder
from ..common.config import read_settings
from .data import positive
from .output import bars


def tokenizer_train(recipe: str, *, out: Out, corpus: str | None = None) -> Result:
    """Train a motion tokenizer from a recipe.

    Args:
        recipe: RECIPE.yaml; see configs.
        out: Folder of the tokenizer.
        corpus: Train on this corpus (default: fresh clips of the procedural animator).
    """
    from ..agent.learning.training import tokenizer_clips
    from ..face.head.model import HeadModel
    from ..tokenizer.config import TokenizerRecipe
    from ..tokenizer.train import recipe_record, train_tokenizer

    settings = read_settings(TokenizerRecipe, recipe)
    output_folder(out)
    clips = tokenizer_clips(settings, corpus, bars("preparing clips"))
    tokenizer = train_tokenizer(settings, clips, HeadModel.default(), bars("training"))
    tokenizer.save_pretrained(out, recipe=recipe_record(settings), corpus=bool(corpus))
    return written(out, f"{tokenizer.n_symbols} symbols, codes a stream {list(tokenizer.codebook_size)}",
                   {"symbols": tokenizer.n_symbols, "codes": list(tokenizer.codebook_size)})


def tokenizer_eval(tokenizer: str | None = None, /, *, corpus: str | None = None, count: int = 500) -> Result:
    """Reconstruction error, action recall, tokens and bits a second.

    Args:
        tokenizer: Folder of a tokenizer (default: the released one).
        corpus: Use its test split (default: fresh test scripts).
        count: Number of clips.
    """
    from ..agent.pipeline import weights_dir
    from ..eval.items import corpus_items, fresh_items
    from ..eval.reconstruction import evaluate_tokenizer
    from ..tokenizer.codec import FaceTokenizer

    positive("--count", count)
    model = FaceTokenizer.from_pretrained(tokenizer or weights_dir() / "tokenizer")
    items = corpus_items(corpus, count) if corpus else fresh_items(count)
    report = evaluate_tokenizer(model, [i.clip for i in items], progress=bars("reconstructing"))
    return Result(report.to_dict(), report.table())


def train(recipe: str, *, out: Out, corpus: str | None = None, tokenizer: str | None = None, base: str | None = None,
          init: str | None = None, restart: bool = False) -> Result:
    """Train the language model from a recipe (resumes by itself).

    Args:
        recipe: RECIPE.yaml; see configs.
        out: Folder for the weights.
        corpus: A corpus of `facelm data synth`, for recipes that train descriptions and answers.
        tokenizer: Folder of a motion tokenizer (default: the released one).
        base: Base language model: a folder or a Hugging Face id (default: the recipe's).
        init: Start from this saved adapter (the llm folder of a weights folder).
        restart: Start anew even if the folder holds checkpoints.
    """
    from ..agent.learning.training import train_language_model
    from ..agent.pipeline import weights_dir

    output_folder(out)
    train_language_model(recipe, tokenizer or weights_dir() / "tokenizer", out, corpus, base, restart,
                         bars("making training data"), init)
    return written(out, f"tokenizer and language model; use them with --weights {out}")


def peer_train(kind: Literal["t2mgpt", "mdm", "momask", "motiongpt"], recipe: str | None = None, *, corpus: str, out: Out,
               minutes: float | None = None, steps: int | None = None, device: Literal["cpu", "cuda"] | None = None) -> Result:
    """Train a peer of words to motion on a corpus (resumes by itself).

    Args:
        kind: Whose design: T2M-GPT, MDM, MoMask or MotionGPT.
        recipe: Sizes and rates, RECIPE.yaml; see configs/peers (default: configs/peers/small.yaml).
        corpus: A corpus of `facelm data synth` or `facelm data build`.
        out: Folder of the peer.
        minutes: Training time of all its stages together (default: 3, where no steps are given).
        steps: Optimiser steps of each stage.
        device: cpu or cuda (default: the latter, where it is there).
    """
    from ..data_gen.corpus.shards import read_manifest

    positive("--steps", steps)
    if minutes is not None and not 0 < minutes <= 100_000:
        raise ValueError(f"--minutes is {minutes:g}; allowed: above 0, up to 100000")
    output_folder(out)
    read_manifest(corpus)
    from ..eval.baselines.motion.config import Recipe
    from ..eval.baselines.motion.peers import train_peer
    from ..eval.baselines.motion.training import Budget

    settings = read_settings(Recipe, recipe) if recipe else Recipe()
    budget = Budget(minutes or (0.0 if steps else 3.0), steps or 0)
    peer = train_peer(kind, settings, corpus, out, budget, device, bars("training"))
    facts = peer.training_facts
    return written(out, f"{peer.name}, {facts['parameters']:,} parameters, {facts['minutes']:.1f} minutes",
                   facts)
