"""MotionGPT (Jiang et al., NeurIPS 2023, https://arxiv.org/abs/2306.14795): motion as words of a language model.

A VQ-VAE with one codebook; its codes are new words of a pretrained model, which learns both directions as text. The paper's T5
is the project's base language model here (a decoder alone), frozen but for LoRA and the rows of the new words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....face.clip.normalise import Normalised, normalise
from ....face.clip.sequence import FaceSequence
from ....llm.attention import use_grouped_attention
from ....llm.base import BaseModel
from ....llm.lora import add_lora
from ....tokenizer.features import to_features
from .codec import Codec
from .config import Recipe, SpeakerConfig
from .data import FPS, Draws
from .peer import Batch, CodecPeer

PERFORM, DESCRIBE = "Generate motion: ", "Describe the motion in words:\n"
"""Instructions of the two directions (the paper's task templates)."""


@dataclass(frozen=True)
class Sequences:
    """Right-padded ids ``(B, T)``, and what follows each where it counts (-1 elsewhere)."""

    ids: Tensor
    target: Tensor


class Speaker(nn.Module):
    """The base with LoRA, and rows for ``n_codes`` motion words, the motion's beginning and its end.

    Ids up to the base's rows are words; then come the codes, ``begin`` and ``end``.
    """

    def __init__(self, config: SpeakerConfig, base: BaseModel, n_codes: int) -> None:
        super().__init__()
        lm: Any = base.model
        self.config, self.n_codes, self.tokenizer = config, n_codes, base.tokenizer
        self.lm = lm.requires_grad_(False)
        words: Tensor = lm.get_input_embeddings().weight
        self.n_words = len(words)
        self.begin, self.end = self.n_words + n_codes, self.n_words + n_codes + 1
        self.stop = int(base.tokenizer.eos_token_id)
        spread = words.detach().float()
        self.rows = nn.Parameter(spread.mean(0) + spread.std(0) * torch.randn(n_codes + 2, words.shape[1]).to(spread))
        self._seen: dict[str, list[int]] = {}
        add_lora(lm.model.layers, config.lora)
        if words.device.type == "cpu":
            use_grouped_attention(lm)

    def words(self, text: str) -> list[int]:
        """Ids of a text."""
        if (found := self._seen.get(text)) is None:
            found = self._seen[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def motion(self, codes: Sequence[int]) -> list[int]:
        """Ids of a motion."""
        return [self.begin, *(self.n_words + c for c in codes), self.end]

    def to_perform(self, text: str) -> list[int]:
        """What comes before the motion of a text."""
        return [*self.words(PERFORM), *self.words(text)[:self.config.words], *self.words("\n"), self.begin]

    def to_describe(self, codes: Sequence[int]) -> list[int]:
        """What comes before the words of a motion."""
        return [*self.words(DESCRIBE), *self.motion(codes)]

    def sequences(self, texts: Sequence[str], motions: Sequence[Sequence[int]], describe: Sequence[bool]) -> Sequences:
        """Texts and motions in either direction; what is said first is not learned."""
        rows, starts = [], []
        for text, codes, reverse in zip(texts, motions, describe, strict=True):
            if reverse:
                first, second = self.to_describe(codes), [*self.words(text)[:self.config.words], self.stop]
            else:
                first, second = self.to_perform(text), self.motion(codes)[1:]
            rows.append(first + second)
            starts.append(len(first))
        longest = max(map(len, rows))
        ids = torch.tensor([row + [self.stop] * (longest - len(row)) for row in rows])
        target = torch.tensor([[-1] * (n - 1) + row[n:] + [-1] * (longest - len(row) + 1)
                               for row, n in zip(rows, starts, strict=True)])
        return Sequences(ids.to(self.rows.device), target.to(self.rows.device))

    def embed(self, ids: Tensor) -> Tensor:
        """``(B, T)`` ids -> ``(B, T, H)`` in the base's type."""
        words = F.embedding(ids.clamp(max=self.n_words - 1), self.lm.get_input_embeddings().weight)
        motion = F.embedding((ids - self.n_words).clamp(min=0), self.rows).to(words.dtype)
        return torch.where((ids >= self.n_words)[..., None], motion, words)

    def logits(self, hidden: Tensor) -> Tensor:
        """``(N, H)`` -> ``(N, words + codes + 2)`` fp32: one vocabulary."""
        words = hidden @ self.lm.get_output_embeddings().weight.t()
        return torch.cat([words, hidden @ self.rows.to(hidden.dtype).t()], -1).float()

    def loss(self, batch: Sequences) -> Tensor:
        """Mean cross-entropy of what counts (eq. 3 of the paper)."""
        with torch.autocast(batch.ids.device.type, enabled=False):  # the base is in its compute type already
            hidden = self.lm.model(inputs_embeds=self.embed(batch.ids), use_cache=False).last_hidden_state
            counts = batch.target >= 0
            return F.cross_entropy(self.logits(hidden[counts]), batch.target[counts])

    @torch.no_grad()
    def go_on(self, ids: list[list[int]], allowed: slice, stop: int, least: int, most: int,
              noise: Tensor | None) -> list[list[int]]:
        """What follows first ids of one common length, until ``stop`` is drawn.

        Args:
            allowed: of the vocabulary.
            least, most: numbers of ids before ``stop``.
            noise: Gumbel's, ``(B, most, ids in allowed)``; None takes the likeliest.

        Returns:
            The ids without ``stop``.
        """
        made: list[list[int]] = [[] for _ in ids]
        done = [False] * len(ids)
        table, cache = torch.tensor(ids, device=self.rows.device), None
        for t in range(most):
            out = self.lm.model(inputs_embeds=self.embed(table), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            logits = self.logits(out.last_hidden_state[:, -1])[:, allowed] / self.config.temperature
            if t < least:
                logits[:, stop - allowed.start] = float("-inf")
            drawn = (logits if noise is None else logits + noise[:, t]).argmax(-1) + allowed.start
            for i, one in enumerate(drawn.tolist()):
                done[i] = done[i] or one == stop
                if not done[i]:
                    made[i].append(one)
            if all(done):
                break
            table = drawn[:, None]
        return made


class MotionGPT(CodecPeer):
    """MotionGPT."""

    KIND, TITLE, STAGES = "motiongpt", "MotionGPT", ("codec", "speaker")
    at_once, EMBEDS = 32, False

    def __init__(self, recipe: Recipe, base: BaseModel) -> None:
        super().__init__(recipe, base)
        self.codec = Codec(recipe.codec)
        self.speaker = Speaker(recipe.speaker, base, recipe.codec.codes)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        if stage == "codec":
            return self.codec.loss(batch.frames)
        motions = [row[:n] for row, n in zip(batch.codes[..., 0].tolist(), batch.steps.tolist(), strict=True)]
        describe = (torch.rand(len(motions)) < self.recipe.speaker.describe).tolist()
        return self.speaker.loss(self.speaker.sequences(batch.texts, motions, describe))

    def sample(self, texts: Sequence[str], frames: Sequence[int | None], draws: Draws) -> list[Tensor]:
        speaker, longest = self.speaker, -(-self.longest // self.step())
        noise = draws.gumbel(longest + 1, speaker.n_codes + 2)
        noise[..., speaker.n_codes] = float("-inf")  # a motion does not begin within a motion
        first = [speaker.to_perform(text) for text in texts]
        steps = [None if n is None else -(-n // self.step()) for n in frames]
        groups: dict[tuple[int, int | None], list[int]] = {}
        for i, (ids, n) in enumerate(zip(first, steps, strict=True)):  # of one length, so that nothing is padded
            groups.setdefault((len(ids), n), []).append(i)
        out: list[Tensor] = [noise] * len(texts)
        allowed = slice(speaker.n_words, speaker.end + 1)
        for (_, n), members in groups.items():
            made = speaker.go_on([first[i] for i in members], allowed, speaker.end, n or 1, n or longest, noise[members])
            for i, ids in zip(members, made, strict=True):
                codes = torch.tensor(ids, device=self.device) - speaker.n_words
                out[i] = self.codec.decode(codes[None, :, None])[0]
        return out

    @torch.no_grad()
    def describe(self, clips: Sequence[FaceSequence | Normalised]) -> list[str]:
        """The likeliest description of each clip of the default head.

        Raises:
            ValueError: a clip of another head.
        """
        self.eval()
        speaker, out = self.speaker, []
        for clip in clips:
            seq = clip.seq if isinstance(clip, Normalised) else normalise(clip).seq
            features = torch.from_numpy(to_features(seq.resample(FPS))).to(self.device)[None, :self.longest]
            short = -features.shape[1] % self.step()
            features = torch.cat([features, features[:, -1:].expand(-1, short, -1)], 1)
            codes = self.codes(self.scale(features))[0, :, 0].tolist()
            first, words = [speaker.to_describe(codes)], slice(0, speaker.n_words)
            made = speaker.go_on(first, words, speaker.stop, 1, speaker.config.words, None)[0]
            out.append(str(speaker.tokenizer.decode(made, skip_special_tokens=True)).strip())
        return out
