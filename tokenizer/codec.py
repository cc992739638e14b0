"""FaceTokenizer: all that the rest of facelm uses of the tokenizer."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.config import parse
from ..common.files import write_json
from ..common.tensors import load_tensors, save_tensors
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle, filter_idle
from ..face.head.model import HeadModel
from .changes import ChangeLayout
from .config import TokenizerConfig
from .features import to_features, to_sequence
from .model import MotionVQVAE
from .stream import MotionStream

FORMAT = "facelm-tokenizer"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class MotionTokens:
    """A clip as text for the language model.

    Attributes:
        ids: ``(N,)`` int32 symbols, change-coded (see ``tokenizer/changes.py``).
        steps: number of tokenizer steps.
    """

    ids: NDArray[np.int32]
    steps: int


class FaceTokenizer:
    """Face motion <-> motion tokens.

    Only codes that occurred in the training corpus are symbols (``kept``); a rare code is
    written as the nearest kept one.
    """

    def __init__(self, model: MotionVQVAE, kept: tuple[NDArray[np.int64], ...], head_sha256: str) -> None:
        self.model = model.eval()
        self.config = model.config
        self.head_sha256 = head_sha256
        self.kept = tuple(np.asarray(k, np.int64) for k in kept)
        rest = model.rest_codes().numpy()
        for stream, (codes, size) in enumerate(zip(self.kept, model.code_sizes, strict=True)):
            if len(codes) == 0 or codes.min() < 0 or codes.max() >= size or rest[stream] not in codes:
                raise ValueError(f"the kept codes of stream {stream} do not fit the model (0..{size - 1}, rest {rest[stream]})")
        self._to_kept = tuple(self._nearest(s) for s in range(len(self.kept)))
        self.layout = ChangeLayout(
            stream_sizes=tuple(len(k) for k in self.kept),
            rest_codes=tuple(int(self._to_kept[s][rest[s]]) for s in range(len(self.kept))),
            step_seconds=self.config.frames_per_step / self.config.fps)

    # -- sizes --------------------------------------------------------------------------
    @property
    def n_symbols(self) -> int:
        """Size of the alphabet."""
        return self.layout.n_symbols

    @property
    def codebook_size(self) -> tuple[int, ...]:
        """Codes in use, stream by stream."""
        return self.layout.stream_sizes

    @property
    def frame_rate(self) -> float:
        """Steps a second."""
        return self.config.fps / self.config.frames_per_step

    @property
    def step_seconds(self) -> float:
        """Duration of a step."""
        return self.layout.step_seconds

    @cached_property
    def hash(self) -> str:
        """Identifies weights and alphabet; written into token files."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.float().numpy().astype("<f4")).tobytes())
        for codes in self.kept:
            digest.update(codes.astype("<i8").tobytes())
        return digest.hexdigest()

    # -- coding -------------------------------------------------------------------------
    def encode_features(self, features: list[NDArray[np.float32]], batch: int = 64) -> list[NDArray[np.int64]]:
        """Feature matrices ``(T, F)`` -> stream codes ``(T', K)`` in kept numbering, batched."""
        step = self.config.frames_per_step
        out: list[NDArray[np.int64]] = [np.zeros((0, 0), np.int64)] * len(features)
        order = sorted(range(len(features)), key=lambda i: len(features[i]))
        for low in range(0, len(order), batch):
            part = order[low:low + batch]
            steps = [-(-len(features[i]) // step) for i in part]
            # padding repeats the last frame (as the convolutions' own padding does); beyond the
            # clip's last step it is cut off again
            x = np.stack([_padded(features[i], max(steps) * step) for i in part])
            codes = self.model.encode(torch.from_numpy(x)).numpy()
            for i, n, row in zip(part, steps, codes, strict=True):
                out[i] = np.stack([self._to_kept[s][row[:n, s]] for s in range(row.shape[1])], axis=1)
        return out

    def encode(self, clip: FaceSequence | Normalised) -> MotionTokens:
        """A clip's tokens.

        Args:
            clip: on the default head, at any frame rate. Idle motion is filtered out of a plain sequence.
        """
        seq = clip.seq if isinstance(clip, Normalised) else filter_idle(clip)
        codes = self.encode_features([to_features(seq.resample(self.config.fps))])[0]
        return MotionTokens(self.layout.encode(codes), len(codes))

    def decode_features(self, ids: NDArray[np.integer]) -> NDArray[np.float32]:
        """Symbols -> features ``(steps * frames_per_step, F)``."""
        return self.decode_codes(self.layout.decode(ids))

    def decode_codes(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Stream codes ``(T', K)`` in kept numbering -> features ``(T' * frames_per_step, F)``."""
        full = np.stack([self.kept[s][codes[:, s]] for s in range(codes.shape[1])], axis=1)
        return self.model.decode(torch.from_numpy(full)[None])[0].numpy()

    def decode(self, ids: NDArray[np.integer] | MotionTokens, head: HeadModel | None = None,
               shape: NDArray[np.float32] | None = None, idle_seed: int | None = None) -> FaceSequence:
        """The clip that tokens stand for.

        Args:
            ids: symbols, or what :meth:`encode` returned.
            head: the default head when None.
            shape: identity coefficients ``(S,)``; the mean face when None.
            idle_seed: gives the idle layer (blinks, saccades, drift) back; None leaves it out.

        Raises:
            ValueError: symbols that break the motion grammar.
        """
        head = head or HeadModel.default()
        features = self.decode_features(ids.ids if isinstance(ids, MotionTokens) else ids)
        identity = np.zeros(head.n_shape, np.float32) if shape is None else shape
        clip = to_sequence(features, head.ref, identity, self.config.fps)
        return clip if idle_seed is None else add_idle(clip, seed=idle_seed)

    def stream(self, head: HeadModel | None = None, shape: NDArray[np.float32] | None = None) -> MotionStream:
        """Decode while symbols arrive; all frames together equal :meth:`decode`'s (without idle)."""
        return MotionStream(self.layout, self.decode_codes, self.config.fps, head, shape)

    def _nearest(self, stream: int) -> NDArray[np.int64]:
        """For each code of the model, the position among the kept codes of the nearest one."""
        group, stage = [(g, i) for g, sizes in enumerate(self.model.sizes) for i in range(len(sizes))][stream]
        every = torch.zeros(self.model.code_sizes[stream], len(self.model.sizes[group]), dtype=torch.long)
        every[:, stage] = torch.arange(len(every))
        points = self.model.points(group, every).numpy()
        distance = ((points[:, None] - points[self.kept[stream]][None]) ** 2).sum(-1)
        return distance.argmin(1)

    # -- files --------------------------------------------------------------------------
    def save_pretrained(self, folder: str | os.PathLike[str], **info: object) -> None:
        """Write ``config.json`` and ``model.safetensors`` (half precision) into ``folder``.

        Args:
            info: JSON values kept under ``"info"`` (recipe, measured results).
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict()
        save_tensors(folder / "model.safetensors", {k: v.half() if v.is_floating_point() else v for k, v in weights.items()})
        write_json(folder / "config.json", {
            "format": FORMAT, "version": FORMAT_VERSION, "model": asdict(self.config), "kept": [k.tolist() for k in self.kept],
            "head_sha256": self.head_sha256, "info": info}, indent=1)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str]) -> FaceTokenizer:
        """Load what :meth:`save_pretrained` wrote. Strict: every weight must be there and fit.

        Raises:
            FileNotFoundError: no such folder or file.
            ValueError: not a tokenizer of this format, or damaged.
        """
        folder = Path(folder)
        config_path, weights_path = folder / "config.json", folder / "model.safetensors"
        for path in (config_path, weights_path):
            if not path.is_file():
                raise FileNotFoundError(f"no motion tokenizer in {folder}: {path.name} is missing")
        try:
            raw = json.loads(config_path.read_text(encoding="utf-8"))
            if raw["format"] != FORMAT or raw["version"] != FORMAT_VERSION:
                raise ValueError(f"format {raw['format']} version {raw['version']}; this facelm reads {FORMAT} {FORMAT_VERSION}")
            model = MotionVQVAE(parse(TokenizerConfig, raw["model"], "model"))
            weights = load_tensors(weights_path).tensors
            model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()}, strict=True)
            return cls(model, tuple(np.array(k, np.int64) for k in raw["kept"]), str(raw["head_sha256"]))
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, MemoryError) as err:
            raise ValueError(f"{folder} does not hold a usable motion tokenizer: {' '.join(str(err).split())[:300]}") from err


def _padded(x: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """``(frames, F)``, the last row repeated."""
    return np.pad(x, ((0, frames - len(x)), (0, 0)), mode="edge")


def find_kept(model: MotionVQVAE, features: list[NDArray[np.float32]], share: float = 0.99) -> tuple[NDArray[np.int64], ...]:
    """The codes that become vocabulary.

    For each stream, the most frequent non-resting ones that cover ``share`` of all *written* codes (a code is written when
    its stream changes). The model's weights are rounded to half precision first, as they are saved: a code on the border
    between two cells would else be another one after loading.
    """
    with torch.no_grad():
        for weights in model.state_dict().values():
            if weights.is_floating_point():
                weights.copy_(weights.half().float())
    counts = [np.zeros(n, np.int64) for n in model.code_sizes]
    rest = model.rest_codes().numpy()
    step = model.config.frames_per_step
    for x in features:
        codes = model.encode(torch.from_numpy(_padded(x, -(-len(x) // step) * step))[None])[0].numpy()
        for s in range(codes.shape[1]):
            before = np.concatenate([[rest[s]], codes[:-1, s]])
            np.add.at(counts[s], codes[before != codes[:, s], s], 1)
    out = []
    for s, count in enumerate(counts):
        order = np.argsort(-count, kind="stable")
        cut = int(np.searchsorted(np.cumsum(count[order]), share * count.sum())) + 1 if count.sum() else 0
        out.append(np.array(sorted({int(c) for c in order[:cut] if count[c]} | {int(rest[s])}), np.int64))
    return tuple(out)


