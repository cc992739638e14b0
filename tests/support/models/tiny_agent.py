"""A whole weights folder made in code: untrained motion tokenizer, tiny base, adapter; and an agent without a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from facelm.agent.motion.checked import Performance
from facelm.agent.motion.reading import with_length
from facelm.agent.pipeline import FaceLM
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.check import check
from facelm.face.facs.measure import measure
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.llm.generate import MotionLM
from facelm.llm.grammar.script_tokens import ScriptTokens
from facelm.llm.lora import LoraConfig
from facelm.llm.model import MotionModel
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


class AnimatedAgent:
    """Reads each prompt as the line that stands for it; an exception in its place is raised.

    Args:
        lines: text -> line, or an exception.
        instead: line performed by the model alone in place of another.
    """

    def __init__(self, lines: dict[str, str | Exception], instead: dict[str, str] | None = None) -> None:
        self.lines, self.instead = lines, instead or {}
        self.head = HeadModel.default()
        self.calls: list[tuple[str, Any]] = []

    def read_many(self, prompts: Sequence[str], tries: int = 1) -> list[Script]:
        self.calls.append(("read", list(prompts)))
        for p in prompts:
            if isinstance(error := self.lines[p], Exception):
                raise error
        return [read_script(str(self.lines[p])) for p in prompts]

    def perform_many(self, scripts: Sequence[Script], seed: int = 0, **options: Any) -> list[Performance]:
        self.calls.append(("perform", {"seed": seed, "count": len(scripts), **options}))
        return [self._one(s, seed + i, options.get("candidates") == 1) for i, s in enumerate(scripts)]

    def _one(self, script: Script, seed: int, alone: bool) -> Performance:
        done = next((read_script(other) for line, other in self.instead.items() if alone and read_script(line) == script), script)
        schedule = lay_out(done, seed)
        clip = perform(schedule, self.head)
        checks = check(script, measure(clip, self.head))
        by = tuple("model" if i == 0 else "animator" for i in range(len(script.cues)))
        return Performance(clip, script, lay_out(script, seed), checks, by)  # type: ignore[arg-type]

    def read(self, prompt: str) -> Script:
        return self.read_many([prompt])[0]

    def generate(self, prompt: str, seconds: float | None = None, seed: int = 0) -> FaceSequence:
        return self.perform_many([with_length(self.read(prompt), seconds)], seed)[0].clip

    def stream(self, script: Script) -> Iterator[FaceSequence]:
        schedule = lay_out(script)
        clip = perform(schedule, self.head)
        return (clip.slice(i, min(i + 50, len(clip))) for i in range(0, len(clip), 50))
