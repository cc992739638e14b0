"""The trained model for other tools: as a peft model, or merged into one Hugging Face folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .base import first_and_last, load_base
from .model import load_model, read_card
from .vocabulary import MotionVocabulary

if TYPE_CHECKING:
    from peft import PeftModel


def as_peft(directory: str | os.PathLike[str], base: str | os.PathLike[str] | None = None) -> PeftModel:
    """The adapter of ``directory`` on its base, as peft loads it: to train on with peft's own tools.

    Args:
        directory: of a saved motion language model.
        base: see ``llm.base.find_base``.

    Raises:
        FileNotFoundError, ValueError: as ``llm.model.read_card`` and ``llm.base.load_base``.
    """
    from peft import PeftModel

    card = read_card(directory)
    model: Any = load_base(base, *first_and_last(card["layers"])).model
    model.resize_token_embeddings(MotionVocabulary.from_json(card["vocabulary"]).size, mean_resizing=False)
    return PeftModel.from_pretrained(model, os.fspath(directory))


def export_merged(directory: str | os.PathLike[str], out: str | os.PathLike[str],
                  base: str | os.PathLike[str] | None = None) -> Path:
    """Write base, adapter and motion rows as one plain Hugging Face folder (config, safetensors, tokenizer).

    The motion tokens are ``<motion>``, ``</motion>`` and ``<m0>``, ``<m1>``, ...: a server without
    adapters (vLLM among them, where an active LoRA costs two to four times the speed) can load it.

    Raises:
        ValueError: ``out`` exists and is not empty; FileNotFoundError: no model in ``directory``.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} exists and is not an empty folder; give a new one")
    model = load_model(directory, base, dtype=torch.float32).merge()
    tokenizer: Any = load_base(base, *first_and_last(read_card(directory)["layers"])).tokenizer
    n = model.vocabulary.n_text
    names = ["<motion>", "</motion>", *(f"<m{i}>" for i in range(model.vocabulary.layout.n_symbols))]
    if len(tokenizer) > n:
        raise ValueError(f"the base's tokenizer has {len(tokenizer)} entries for {n} rows; it cannot be extended")
    # rows that the base keeps without a token of its own get a name, so that the motion tokens' ids agree
    tokenizer.add_tokens([f"<unused{i}>" for i in range(n - len(tokenizer))], special_tokens=True)
    tokenizer.add_tokens(names, special_tokens=True)
    plain: Any = model.lm
    plain.resize_token_embeddings(model.vocabulary.size, mean_resizing=False)
    with torch.no_grad():
        plain.get_input_embeddings().weight[n:] = model.rows
    target.mkdir(parents=True, exist_ok=True)
    plain.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target
