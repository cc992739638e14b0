"""A whole weights folder made in code: untrained motion tokenizer, tiny base, adapter."""

from __future__ import annotations

from pathlib import Path

import torch
from facelm.agent.pipeline import FaceLM
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.llm.generate import MotionLM
from facelm.llm.lora import LoraConfig
from facelm.llm.model import MotionModel
from facelm.llm.script_tokens import ScriptTokens
from facelm.llm.vocabulary import MotionVocabulary
from facelm.tokenizer.codec import FaceTokenizer, find_kept
from facelm.tokenizer.config import TokenizerConfig
from facelm.tokenizer.features import to_features
from facelm.tokenizer.model import MotionVQVAE
from llm_tiny import tiny_base


def tiny_face_tokenizer(clips: list[FaceSequence], seed: int = 0) -> FaceTokenizer:
    """Untrained: reads and writes every clip, reconstructs none."""
    torch.manual_seed(seed)
    model = MotionVQVAE(TokenizerConfig(hidden=8)).eval()
    return FaceTokenizer(model, find_kept(model, [to_features(c) for c in clips]), HeadModel.default().sha256)


def tiny_motion_model(tokenizer: FaceTokenizer, seed: int = 0) -> MotionModel:
    base = tiny_base()
    vocabulary = MotionVocabulary(len(base.tokenizer), tokenizer.layout, ScriptTokens.default())
    return MotionModel(base, vocabulary, LoraConfig(4, 8.0), seed)


def tiny_agent(clips: list[FaceSequence], batch_size: int = 4) -> FaceLM:
    tokenizer = tiny_face_tokenizer(clips)
    return FaceLM(tokenizer, MotionLM(tiny_motion_model(tokenizer), batch_size))


def write_base(folder: Path) -> Path:
    """A transformers model's folder."""
    base = tiny_base()
    base.model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    return folder


def write_weights(folder: Path, clips: list[FaceSequence]) -> Path:
    """What `facelm train` writes, for the base of :func:`write_base`."""
    tokenizer = tiny_face_tokenizer(clips)
    tokenizer.save_pretrained(folder / "tokenizer")
    tiny_motion_model(tokenizer).save_adapter(folder / "llm", {"steps": 0})
    return folder
