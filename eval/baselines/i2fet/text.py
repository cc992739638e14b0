"""Instructions as token features: hidden states of the base language model, or CLIP's text model.

The paper reads CLIP ViT-L/14's 77 x 768 token features (arXiv 2601.08179, III-B). CLIP is used where its
weights are; the default needs no download beyond the language model that the package already runs on.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from .config import TextConfig

if TYPE_CHECKING:
    from ....llm.base import BaseModel

CLIP = "openai/clip-vit-large-patch14"
LONGEST = 2000
"""Characters of a sentence; far beyond any instruction, and a bound for what a user can hand in."""


class TextEncoder(Protocol):
    """Sentences to token features.

    Attributes:
        name: what reports call it.
        dim: width of a token's features.
        tokens: rows of every sentence.
    """

    name: str
    dim: int
    tokens: int

    def encode(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """``(B, tokens, dim)`` float32 features, zero where padded, and the ``(B, tokens)`` bool mask of real tokens."""
        ...


def pooled(features: Tensor, mask: Tensor, how: str = "mean") -> Tensor:
    """One vector for each sentence: ``(B, L, dim)``, ``(B, L)`` -> ``(B, dim)``.

    Args:
        how: ``mean`` of the real tokens, or the ``last`` real one (CLIP's end-of-text, a causal model's summary).
    """
    if how == "last":
        return features[torch.arange(len(features), device=features.device), mask.sum(1) - 1]
    return (features * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class _Cached:
    """What both encoders share: checks, the cache of seen sentences, and padding to a fixed number of rows."""

    name: str
    dim: int
    tokens: int

    def __init__(self) -> None:
        self._seen: dict[str, Tensor] = {}

    def _rows(self, sentences: list[str]) -> list[Tensor]:
        """The real tokens' features of each sentence, ``(length, dim)``."""
        raise NotImplementedError

    def encode(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See :class:`TextEncoder`.

        Raises:
            ValueError: no sentences, an empty one, or one that is not text or longer than 2000 characters.
        """
        if isinstance(sentences, str) or not len(sentences):
            raise ValueError("a list with at least one sentence is needed")
        for s in sentences:
            if not isinstance(s, str) or not s.strip() or len(s) > LONGEST:
                raise ValueError(f"an instruction must be text of 1 to {LONGEST} characters, not {str(s)[:40]!r}")
        new = [s for s in dict.fromkeys(sentences) if s not in self._seen]
        new.sort(key=len)  # little padding inside a batch
        for at in range(0, len(new), 32):
            part = new[at:at + 32]
            for sentence, rows in zip(part, self._rows(part), strict=True):
                if len(rows) > self.tokens:
                    warnings.warn(f"the instruction {sentence[:40]!r}... has {len(rows)} tokens; the text encoder "
                                  f"keeps {self.tokens} (text.tokens of the recipe)", stacklevel=2)
                self._seen[sentence] = rows[:self.tokens].clone()
        features = torch.zeros(len(sentences), self.tokens, self.dim)
        mask = torch.zeros(len(sentences), self.tokens, dtype=torch.bool)
        for i, sentence in enumerate(sentences):
            rows = self._seen[sentence]
            features[i, :len(rows)] = rows
            mask[i, :len(rows)] = True
        return features, mask


class BaseLMText(_Cached):
    """Hidden states of the base language model, every sentence encoded once.

    The last layer is the default: it lies behind the model's final norm (largest value 46; layers in between carry
    a few activations near 25000 that swamp any pooling), and a linear map of it reads both emotions of all five
    templates of Table I without error, as every layer allows, and the most of the first emotion in free wordings.

    Args:
        base: a directory or Hugging Face id; None searches (``llm.base.find_base``). Or a loaded model.
        layer: index into ``hidden_states``; -1 is the last.
        tokens: rows of every sentence.

    Raises:
        FileNotFoundError: no base model; ValueError: no such layer.
    """

    def __init__(self, base: str | os.PathLike[str] | BaseModel | None = None, layer: int = -1, tokens: int = 32) -> None:
        from ....llm.base import BaseModel, load_base

        super().__init__()
        self._base = base if isinstance(base, BaseModel) else load_base(base, dtype=torch.float32)
        self._model: Any = self._base.model.model
        depth = len(self._base.layers)
        if not -depth - 1 <= layer <= depth:
            raise ValueError(f"text.layer is {layer}; {self._base.name} has hidden states {-depth - 1} to {depth}")
        self.layer, self.tokens = layer, tokens
        self.dim = int(self._base.model.config.hidden_size)
        self.name = f"{self._base.name}, hidden states {layer}"

    @torch.no_grad()
    def _rows(self, sentences: list[str]) -> list[Tensor]:
        ids = [self._base.tokenizer(s, add_special_tokens=True)["input_ids"] for s in sentences]
        longest = max(map(len, ids))
        if not min(map(len, ids)):
            raise ValueError(f"{self.name}: the tokenizer finds nothing in {sentences[[len(i) for i in ids].index(0)]!r}")
        # padding on the right: a causal model's earlier states do not see it
        table = torch.tensor([i + [0] * (longest - len(i)) for i in ids])
        mask = torch.tensor([[1] * len(i) + [0] * (longest - len(i)) for i in ids])
        device = next(self._model.parameters()).device
        last = self.layer in (-1, len(self._base.layers))
        out = self._model(input_ids=table.to(device), attention_mask=mask.to(device), use_cache=False,
                          output_hidden_states=not last)
        states = (out.last_hidden_state if last else out.hidden_states[self.layer]).float().cpu()
        return [states[i, :len(row)] for i, row in enumerate(ids)]


class ClipText(_Cached):
    """CLIP's text model through transformers, the paper's choice; safetensors only, nothing of its folder is executed.

    Args:
        model: Hugging Face id or folder of a CLIP model with its tokenizer.
        tokens: rows of every sentence; 77 is CLIP's own.

    Raises:
        FileNotFoundError: the model is neither here nor can it be fetched; ValueError: not a CLIP model.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, tokens: int = 77) -> None:
        from transformers import AutoTokenizer, CLIPTextModel

        super().__init__()
        source = os.fspath(model) if model else CLIP
        hint = "give text.model the folder of a CLIP model with safetensors and tokenizer, or use text.encoder base"
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            self._model: Any = CLIPTextModel.from_pretrained(source, use_safetensors=True).eval()
        except OSError as error:
            raise FileNotFoundError(f"no CLIP text model at {source!r} ({str(error).splitlines()[0]}); {hint}") from error
        except Exception as error:  # each file format in there raises kinds of its own
            raise ValueError(f"{source!r} cannot be read as a CLIP text model ({type(error).__name__}: {error}); {hint}"
                             ) from error
        self.dim = int(self._model.config.hidden_size)
        limit = int(self._model.config.max_position_embeddings)
        if tokens > limit:
            raise ValueError(f"text.tokens is {tokens}; {source} has {limit} positions: use at most that many")
        self.tokens = tokens
        self.name = f"CLIP text ({source if not os.path.isdir(source) else os.path.basename(source.rstrip(os.sep))})"

    @torch.no_grad()
    def _rows(self, sentences: list[str]) -> list[Tensor]:
        batch = self._tokenizer(sentences, padding=True, truncation=True, max_length=self.tokens, return_tensors="pt")
        states = self._model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        return [states[i, :n] for i, n in enumerate(batch["attention_mask"].sum(1).tolist())]


def text_encoder(config: TextConfig) -> TextEncoder:
    """The encoder that a recipe names."""
    if config.encoder == "clip":
        return ClipText(config.model, config.tokens)
    return BaseLMText(config.model, config.layer, config.tokens)
