"""The motion language model: a frozen base, LoRA on its linears, and rows for motion.

One new row serves a motion token as input and as output, as in the tied base. Logits are
made only where a loss is: over the motion symbols that the grammar allows where the answer
is motion, over words where it is text. The first restriction is exact, since decoding
allows nothing else either: the model spends nothing on learning the grammar.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..common.config import parse
from ..common.files import write_json
from ..common.tensors import load_tensors, save_tensors
from .attention import use_grouped_attention
from .base import BaseModel, first_and_last, load_base
from .grammar.script_tokens import default_tokens
from .lora import LoraConfig, LoraLinear, PeftLayout, add_lora, merge_lora
from .prompts import Template
from .vocabulary import MotionVocabulary

FORMAT = 1
ADAPTER = PeftLayout.TENSORS
CARD = "motion_lm.json"


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences and the places that carry a loss.

    Attributes:
        ids: ``(B, T)`` int64.
        text_at, text_target: flat positions ``b * T + t`` whose next token is a word, and that token's id.
        motion_at, motion_target: flat positions whose next token is a motion symbol, and that symbol
            (``n_symbols`` for ``</motion>``).
        legal: ``(len(motion_at), n_symbols + 1)`` bool, what the grammar allows there.
        script_at, script_target: flat positions whose next token is of a script, and that token's row.
    """

    ids: Tensor
    text_at: Tensor
    text_target: Tensor
    motion_at: Tensor
    motion_target: Tensor
    legal: Tensor
    script_at: Tensor
    script_target: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def compute_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """bf16 where the hardware multiplies it, else fp32 (bf16 without instructions for it is several times slower)."""
    if torch.device(device).type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    cpu = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    fast = cpu.get("avx512_bf16") or cpu.get("amx_bf16") or cpu.get("bf16")
    return torch.bfloat16 if fast else torch.float32


class MotionModel(nn.Module):
    """Base, adapter and motion rows; ``forward`` gives the losses of a batch."""

    tasks: tuple[str, ...] = ("read", "perform", "see", "understand")
    """What it was trained to do (``llm/examples.py``)."""
    performer: str = "model"
    """What performs by default, where it can: itself, or the ``animator``."""

    def __init__(self, base: BaseModel, vocabulary: MotionVocabulary, lora: LoraConfig | None, seed: int = 0) -> None:
        super().__init__()
        lm: Any = base.model
        self.lm = lm
        self.name, self.layers, self.lora = base.name, base.layers, lora
        self.vocabulary = vocabulary
        self.template = Template.of(base.tokenizer, vocabulary)
        words: Tensor = lm.get_input_embeddings().weight
        if vocabulary.n_text != len(words):
            raise ValueError(f"the vocabulary was made for a base with {vocabulary.n_text} rows; {base.name} has {len(words)}")
        for parameter in self.lm.parameters():
            parameter.requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # random rows with the words' own mean and spread: neither louder nor quieter than a word
            spread = words.detach().float().cpu()
            rows = spread.mean(0) + spread.std(0) * torch.randn(vocabulary.n_new, words.shape[1])
            if len(vocabulary.script):
                rows[-len(vocabulary.script):] = self._script_rows(spread)
            self.rows = nn.Parameter(rows)
            self.adapted = add_lora(self.lm.model.layers, lora) if lora else []
        if words.device.type == "cpu":
            use_grouped_attention(self.lm)

    def _script_rows(self, words: Tensor) -> Tensor:
        """Rows of script tokens before training: the mean of the rows of what they mean, as loud as a word."""
        meaning = default_tokens()
        loud = words.norm(dim=1).mean()
        rows = []
        for name in self.vocabulary.script.names:
            ids = self.template.tokenizer.encode(" " + meaning.get(name, name), add_special_tokens=False)
            row = words[ids].mean(0)
            rows.append(row * loud / row.norm())
        made = torch.stack(rows)
        return made + 0.1 * made.std(0) * torch.randn(made.shape)  # two tokens of one meaning should be able to part

    # -- forward ----------------------------------------------------------------------
    @property
    def dtype(self) -> torch.dtype:
        """The compute type."""
        dtype: torch.dtype = self.lm.get_input_embeddings().weight.dtype
        return dtype

    def embed(self, ids: Tensor) -> Tensor:
        """``(B, T)`` ids, old and new -> ``(B, T, H)`` in the compute type."""
        n = self.vocabulary.n_text
        words = F.embedding(ids.clamp(max=n - 1), self.lm.get_input_embeddings().weight)
        motion = F.embedding((ids - n).clamp(min=0), self.rows).to(words.dtype)
        return torch.where((ids >= n)[..., None], motion, words)

    def hidden(self, ids: Tensor) -> Tensor:
        """``(B, T)`` right-padded ids -> ``(B, T, H)``; causal, so padding on the right changes nothing before it."""
        positions = torch.arange(ids.shape[1], device=ids.device)[None]
        out = self.lm.model(inputs_embeds=self.embed(ids), position_ids=positions, use_cache=False)
        states: Tensor = out.last_hidden_state
        return states

    def motion_logits(self, hidden: Tensor) -> Tensor:
        """``(N, H)`` -> ``(N, n_symbols + 1)`` fp32; the last is ``</motion>``."""
        rows = self.rows.to(hidden.dtype)
        return (hidden @ torch.cat([rows[2:2 + self.vocabulary.layout.n_symbols], rows[1:2]]).t()).float()

    def script_logits(self, hidden: Tensor) -> Tensor:
        """``(N, H)`` -> ``(N, script tokens)`` fp32."""
        return (hidden @ self.rows[2 + self.vocabulary.layout.n_symbols:].to(hidden.dtype).t()).float()

    def text_logits(self, hidden: Tensor) -> Tensor:
        """``(N, H)`` -> ``(N, n_text + 1)`` fp32; the last is ``<motion>``. With scripts one more: the beginning of a script."""
        words = hidden @ self.lm.get_output_embeddings().weight.t()
        first = [0] + ([2 + self.vocabulary.layout.n_symbols] if len(self.vocabulary.script) else [])  # OPEN is the first token
        return torch.cat([words, hidden @ self.rows[first].to(hidden.dtype).t()], -1).float()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses in nats: ``loss`` (mean over answer tokens, differentiable), sums and counts by kind."""
        hidden = self.hidden(batch.ids).flatten(0, 1)
        motion = text = script = hidden.new_zeros((), dtype=torch.float32)
        if len(batch.motion_at):
            logits = self.motion_logits(hidden[batch.motion_at]).masked_fill(~batch.legal, -1e9)
            motion = F.cross_entropy(logits, batch.motion_target, reduction="sum")
        if len(batch.text_at):
            text = F.cross_entropy(self.text_logits(hidden[batch.text_at]), batch.text_target, reduction="sum")
        if len(batch.script_at):
            script = F.cross_entropy(self.script_logits(hidden[batch.script_at]), batch.script_target, reduction="sum")
        places = {"motion": batch.motion_at, "text": batch.text_at, "script": batch.script_at}
        count = max(1, sum(map(len, places.values())))
        return {"loss": (motion + text + script) / count, "motion": motion.detach(), "text": text.detach(),
                "script": script.detach(), **{f"n_{name}": torch.tensor(len(at)) for name, at in places.items()}}

    # -- inference --------------------------------------------------------------------
    def merge(self) -> MotionModel:
        """Add the adapter into the base's weights, in place: inference without the extra products."""
        merge_lora(self.lm.model.layers)
        self.rows.requires_grad_(False)
        return self.eval()

    # -- files ------------------------------------------------------------------------
    def adapter_state(self) -> dict[str, Tensor]:
        """Trained tensors under peft's names."""
        state = {PeftLayout.ROWS: self.rows.detach()}
        for name in self.adapted:
            module = self.lm.model.layers.get_submodule(name)
            if not isinstance(module, LoraLinear):
                raise ValueError("a merged model has no adapter to save; save before merge()")
            state[PeftLayout.key(name, "lora_A")] = module.lora_A.detach()
            state[PeftLayout.key(name, "lora_B")] = module.lora_B.detach()
        return state

    @torch.no_grad()
    def load_adapter_state(self, state: dict[str, Tensor]) -> None:
        """Take tensors of ``adapter_state``.

        Raises:
            ValueError: a missing, surplus or differently shaped tensor.
        """
        own = self.adapter_state()
        if own.keys() != state.keys():
            missing, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
            raise ValueError(f"the adapter does not fit the model: missing {missing[:3]}, surplus {surplus[:3]}")
        for key, target in own.items():
            if target.shape != state[key].shape:
                raise ValueError(f"{key} has shape {tuple(state[key].shape)}; the model needs {tuple(target.shape)}")
            target.copy_(state[key])

    def save_adapter(self, directory: str | os.PathLike[str], info: dict[str, Any] | None = None) -> None:
        """Write the adapter in half precision: peft's two files and ``motion_lm.json``.

        Args:
            directory: made when missing.
            info: what training has to say (steps, results); kept under ``"info"``.
        """
        if self.lora is None:
            raise ValueError("the model has no adapter to save")
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        state = {key: value.to(torch.float16) for key, value in self.adapter_state().items()}
        save_tensors(path / ADAPTER, state, {"format": "pt"})
        vocabulary, lora = self.vocabulary, self.lora
        write_json(path / PeftLayout.FILE, asdict(PeftLayout(
            self.name, lora.rank, lora.alpha, lora.rslora, sorted({name.rpartition(".")[2] for name in self.adapted}),
            {"embed_tokens": list(range(vocabulary.n_text, vocabulary.size))})), indent=None)
        write_json(path / CARD, {"format": FORMAT, "base": self.name, "base_check": base_check(self.lm),
                                 "layers": list(self.layers), "lora": asdict(lora), "vocabulary": vocabulary.to_json(),
                                 "info": info or {}}, indent=1)


def load_model(directory: str | os.PathLike[str], base: str | os.PathLike[str] | None = None, device: str = "cpu",
               dtype: torch.dtype | None = None) -> MotionModel:
    """Base and saved adapter, not yet merged.

    Args:
        directory: of ``save_adapter``.
        base: see ``llm.base.find_base``.
        dtype: compute type; None takes the fastest that is safe.

    Raises:
        FileNotFoundError: a missing file; ValueError: a damaged one, or one for another base.
    """
    path = Path(directory)
    card = read_card(path)
    state = read_adapter(path)
    try:
        layers = [int(i) for i in card["layers"]]
        lora, vocabulary = parse(LoraConfig, card["lora"], "lora"), MotionVocabulary.from_json(card["vocabulary"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path / CARD} is damaged ({error}); copy or download it again") from error
    # the sizes that the card claims are allocated below: they must be those of the file
    ranks = {value.shape[0] for key, value in state.items() if key.endswith("lora_A.weight")}
    rows = state.get(PeftLayout.ROWS, ())
    if len(rows) != vocabulary.n_new or ranks - {lora.rank}:
        raise ValueError(f"{path / ADAPTER} does not fit the {CARD} beside it; copy or download both again")
    loaded = load_base(base, *first_and_last(layers), dtype or compute_dtype(device))
    if list(loaded.layers) != layers:
        raise ValueError(f"the adapter was trained on layers {layers}; {loaded.name} gives {list(loaded.layers)}")
    if base_check(loaded.model) != card["base_check"]:
        raise ValueError(f"the adapter was trained on {card['base']}; {loaded.name} has other weights. Give that base")
    network: Any = loaded.model
    network.to(device)  # before MotionModel, which chooses the attention by device
    model = MotionModel(loaded, vocabulary, lora)
    model.load_adapter_state(state)
    shares = card.get("info", {}).get("config", {}).get("data", {})
    model.tasks = tuple(task for task in model.tasks if shares.get(task, 1))
    model.performer = card.get("info", {}).get("performer", model.performer)
    return model.to(device).eval()


def untuned_model(directory: str | os.PathLike[str], base: str | os.PathLike[str] | None = None) -> MotionModel:
    """The model of a saved adapter as it was before any training: the base, whole, with new rows and no adapter.

    Raises:
        FileNotFoundError, ValueError: see :func:`load_model`.
    """
    card = read_card(directory)
    vocabulary = MotionVocabulary.from_json(card["vocabulary"])
    return MotionModel(load_base(base, dtype=compute_dtype()), vocabulary, None).eval()


def read_adapter(directory: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a saved adapter, under peft's names.

    Raises:
        FileNotFoundError: none there; ValueError: a damaged file.
    """
    try:
        return load_tensors(Path(directory) / ADAPTER).tensors
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; give a directory written by training") from error
    except ValueError as error:
        raise ValueError(f"{error}; copy or download it again") from error


def read_card(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """``motion_lm.json`` of a saved model.

    Raises:
        FileNotFoundError: none there; ValueError: damaged or of another version.
    """
    file = Path(directory) / CARD
    if not file.is_file():
        raise FileNotFoundError(f"{directory} holds no {CARD}; give a directory written by training")
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        version = card["format"]
        missing = {"base", "base_check", "layers", "lora", "vocabulary"} - card.keys()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({error}); copy or download it again") from error
    if version != FORMAT or missing:
        raise ValueError(f"{file} has format {version} (missing: {sorted(missing)}); this facelm reads format {FORMAT}")
    return dict(card)


def base_check(model: Any) -> str:
    """A fingerprint of the base's weights: the first word rows, rounded so that the storage type does not matter."""
    rows = model.get_input_embeddings().weight[:64].detach().to("cpu", torch.bfloat16).view(torch.int16)
    return hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest()[:16]
