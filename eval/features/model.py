"""The text-motion retrieval model: words and face motion in one space, where what belongs together lies close.

In the manner of Guo et al. 2022 (CVPR 2022, "Generating Diverse and Natural 3D Human Motions from Text"),
whose evaluator every text-to-motion paper uses, trained by InfoNCE as in TMR (Petrovich et al. 2023,
https://arxiv.org/abs/2305.00976). Small enough to ship, and trained on a CPU in minutes (:mod:`.train`).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from ...common.config import SETTINGS, parse
from ...common.files import parse_json, read_text, write_json
from ...common.tensors import load_tensors, save_tensors
from ...face.clip.sequence import FaceSequence
from ...tokenizer.features import N_FEATURES, to_features

FORMAT = "facelm-text-motion-retrieval"
FPS = 25.0
_WORD = re.compile(r"[a-z]+|\d|[^\sa-z\d]")
Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=SETTINGS)
class MatcherConfig:
    """Sizes of the model."""

    width: Positive = 128
    out: Positive = 64
    """Length of a feature."""
    rows: Positive = 4096
    """Rows that pieces of words are hashed to."""
    piece: Positive = 64
    """Length of a row."""
    words: Positive = 64
    """Longest text in words; what is longer is cut."""
    frames: Positive = 500
    """Longest motion at 25 frames a second; what is longer is cut."""
    heads: Positive = 4


@lru_cache(65536)
def pieces(word: str, rows: int) -> tuple[int, ...]:
    """Rows of a word and of its runs of 3 to 5 letters (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606).

    A word that was never seen is near those that it looks like.
    """
    framed = f"<{word}>"
    runs = {framed, *(framed[i:i + n] for n in (3, 4, 5) for i in range(len(framed) - n + 1))}
    return tuple(zlib.crc32(r.encode()) % rows for r in sorted(runs))


class Encoder(nn.Module):
    """Two transformer layers over a sequence of vectors, pooled to one feature of length 1."""

    def __init__(self, config: MatcherConfig, longest: int) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(longest, config.width))
        layer = nn.TransformerEncoderLayer(config.width, config.heads, 2 * config.width, 0.1, "gelu", batch_first=True,
                                           norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(2 * config.width, config.out)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """``(B, T, width)`` and ``(B, T)`` truth of what is no padding -> ``(B, out)``."""
        x = self.layers(x + self.places[:x.shape[1]], src_key_padding_mask=~there)
        weight = there[..., None].float()
        mean = (x * weight).sum(1) / weight.sum(1)
        most = x.masked_fill(~there[..., None], -1e4).amax(1)
        return nn.functional.normalize(self.out(torch.cat([mean, most], 1)), dim=1)


class Matcher(nn.Module):
    """Both encoders, and the temperature between them."""

    def __init__(self, config: MatcherConfig | None = None, about: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.config = c = config or MatcherConfig()
        self.about = about or {}
        """How it was trained and its own held-out scores."""
        self.pieces = nn.EmbeddingBag(c.rows, c.piece, mode="mean")
        self.lift = nn.Linear(c.piece, c.width)
        self.text = Encoder(c, c.words)
        self.steps = nn.Sequential(nn.Conv1d(N_FEATURES, c.width, 5, 2, 2), nn.GELU(),
                                   nn.Conv1d(c.width, c.width, 5, 2, 2), nn.GELU(), nn.Conv1d(c.width, c.width, 3, 2, 1))
        self.motion = Encoder(c, -(-c.frames // 8))
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    # -- tensors ------------------------------------------------------------------------
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """``(N, out)`` of texts, with gradients."""
        words = [(_WORD.findall(t.lower()) or ["?"])[:self.config.words] for t in texts]
        rows = [pieces(w, self.config.rows) for ws in words for w in ws]
        starts = np.cumsum([0, *map(len, rows[:-1])])
        flat = torch.tensor([i for r in rows for i in r])
        found = self.lift(self.pieces(flat, torch.from_numpy(starts)))
        return self.text(*_padded(found.split([len(w) for w in words])))

    def motion_features(self, motions: Sequence[NDArray[np.float32]]) -> Tensor:
        """``(N, out)`` of feature matrices ``(T, N_FEATURES)`` at 25 frames a second, with gradients."""
        cut = [torch.from_numpy(np.ascontiguousarray(m[:self.config.frames], np.float32)) for m in motions]
        x, there = _padded(cut)
        x, lengths = x.transpose(1, 2), there.sum(1)
        for layer in self.steps:
            x = layer(x)
            if isinstance(layer, nn.Conv1d):  # each halves the steps; what lies behind a motion's end must stay nothing
                lengths = (lengths + 1) // 2
                there = torch.arange(x.shape[2])[None] < lengths[:, None]
                x = x * there[:, None]
        return self.motion(x.transpose(1, 2), there)

    # -- use ----------------------------------------------------------------------------
    @torch.inference_mode()
    def of_texts(self, texts: Sequence[str], batch: int = 128) -> NDArray[np.float64]:
        """``(N, out)`` features of texts, of length 1."""
        return self._all([self.text_features(texts[i:i + batch]) for i in range(0, len(texts), batch)])

    @torch.inference_mode()
    def of_clips(self, clips: Sequence[FaceSequence], batch: int = 64) -> NDArray[np.float64]:
        """``(N, out)`` features of clips of the default head, of length 1."""
        motions = [to_features(c if c.fps == FPS else c.resample(FPS)) for c in clips]
        return self._all([self.motion_features(motions[i:i + batch]) for i in range(0, len(motions), batch)])

    def _all(self, parts: list[Tensor]) -> NDArray[np.float64]:
        return torch.cat(parts).double().numpy() if parts else np.zeros((0, self.config.out))

    # -- files --------------------------------------------------------------------------
    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``model.safetensors`` and then ``config.json``."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_tensors(path / "model.safetensors", {k: v.half() for k, v in self.state_dict().items()})
        write_json(path / "config.json", {"format": FORMAT, "version": 1, "config": asdict(self.config), "about": self.about}, 1)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str] | None = None) -> Matcher:
        """Read a saved model; None is the shipped one.

        Raises:
            FileNotFoundError: a missing file. ValueError: a damaged one, or one of something else.
        """
        path = Path(folder) if folder is not None else Path(str(files("facelm").joinpath("weights", "retrieval")))
        if not (path / "config.json").is_file():
            raise FileNotFoundError(f"{path} holds no config.json; give a folder of `python -m facelm.benchmarks retrieval`")
        raw = parse_json(read_text(path / "config.json"), path / "config.json")
        if not isinstance(raw, dict) or raw.get("format") != FORMAT or raw.get("version") != 1:
            raise ValueError(f"{path / 'config.json'} is not that of a text-motion retrieval model, version 1")
        model = cls(parse(MatcherConfig, raw.get("config"), f"{path / 'config.json'}: config"), dict(raw.get("about") or {}))
        found = {k: v.float() for k, v in load_tensors(path / "model.safetensors").tensors.items()}
        try:
            model.load_state_dict(found)
        except RuntimeError as error:
            raise ValueError(f"{path / 'model.safetensors'} does not fit the config.json beside it "
                             f"({' '.join(str(error).split())[:160]})") from None
        return model.eval()


def _padded(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """``(B, longest, C)`` with zeros at the ends, and where there is something."""
    lengths = torch.tensor([len(p) for p in parts])
    padded = nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
    return padded, torch.arange(padded.shape[1])[None] < lengths[:, None]
