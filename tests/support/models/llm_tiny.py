"""A tiny language model, tokenizer and corpus made in code, for the llm tests."""

from __future__ import annotations

import numpy as np
import torch
from facelm.face.facs.script import mark
from facelm.llm.base import BaseModel
from facelm.llm.config import DataConfig, parse_config
from facelm.llm.data import Clip, Piece, PlanLine, Reading
from facelm.llm.examples import Examples
from facelm.llm.grammar.script_tokens import ScriptTokens
from facelm.llm.grammar.windows import Window, WindowEvent
from facelm.llm.lora import LoraConfig
from facelm.llm.model import MotionModel
from facelm.llm.vocabulary import MotionVocabulary
from facelm.tokenizer.changes import ChangeLayout

LAYOUT = ChangeLayout((5, 4, 6), (0, 1, 2), 4)
DATA = DataConfig(0.25, 0.25, 0.25, 0.25, max_tokens=120, batch_tokens=160, window=16)
WORDS = [
    "smile",
    "frown",
    "nod",
    "turn",
    "left",
    "right",
    "slowly",
    "what",
    "when",
    "yes",
    "no",
    "Describe",
    ".",
    "?",
    ":",
    "s",
    *"0123456789",
]


def tiny_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {w: i for i, w in enumerate(["<unk>", "<|im_start|>", "<|im_end|>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Whitespace()]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<|im_start|>", eos_token="<|im_end|>"
    )


def tiny_base(layers: int = 2, seed: int = 0) -> BaseModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return BaseModel(LlamaForCausalLM(config).eval(), tokenizer, "tiny", tuple(range(layers)))


def tiny_model(rank: int | None = 4, seed: int = 0) -> MotionModel:
    base = tiny_base()
    lora = LoraConfig(rank, 8.0) if rank else None
    return MotionModel(base, tiny_vocabulary(len(base.tokenizer)), lora, seed)


def tiny_vocabulary(n_text: int) -> MotionVocabulary:
    return MotionVocabulary(n_text, LAYOUT, ScriptTokens.default())


def random_motion(rng: np.random.Generator, steps: int = 0) -> np.ndarray:
    steps = steps or int(rng.integers(2, 14))
    codes = np.stack([np.repeat(rng.integers(0, n, steps), 3)[:steps] for n in LAYOUT.stream_sizes], 1)
    return LAYOUT.encode(codes)


def tiny_clips(count: int = 20, seed: int = 0) -> list[Clip]:
    rng = np.random.default_rng(seed)
    clips = []
    for i in range(count):
        symbols = random_motion(rng)
        words = [str(w) for w in rng.choice(WORDS[:7], 3)]
        clips.append(
            Clip(
                f"clip{i}",
                (" ".join(words), f"slowly {words[0]}"),
                ("when ?", "what ?"),
                ("1 . 2 s", words[0]),
                symbols,
                LAYOUT.steps(symbols),
            )
        )
    return clips


PLANS = (
    PlanLine("smile slowly", ("@smile", "=strong", "@nod", "x2"), ("!weaker", "@smile", "~bit")),
    PlanLine("what", (), ("!ask-first",)),
    PlanLine(f"nod {mark('c', 0)}", ("@nod",), ("!count", "@nod", "c0", "!undo")),
)
READINGS = (
    Reading("smile , nod .", ("@smile", "@nod")),
    Reading(f"smile {mark('t', 0)} s", ("@smile", "for", "t0")),
    Reading("turn left slowly", ("@turn", "left", "slow")),
    Reading(f"nod {mark('c', 0)} , no frown", ("@nod", "c0", "never", "@brow_lower")),
    Reading("what slowly", ("unknown", ("text", "what slowly"))),
)


def tiny_window(rng: np.random.Generator, steps: int) -> Window:
    names = ["smile", "nod", "turn_left", "anger", "blink"]
    events = [WindowEvent(str(rng.choice(names)), int(rng.integers(0, steps)), 1, 1, 1, int(rng.integers(1, 21)),
                          int(rng.integers(0, 4))) for _ in range(rng.integers(0, 3))]
    return Window(0, steps, tuple(events))


def tiny_pieces(count: int = 20, seed: int = 0) -> list[Piece]:
    rng = np.random.default_rng(seed)
    pieces = []
    for i in range(count):
        steps = int(rng.integers(2, 14))
        codes = np.stack([np.repeat(rng.integers(0, n, steps), 3)[:steps] for n in LAYOUT.stream_sizes], 1)
        before = LAYOUT.rest_codes if i % 2 else tuple(int(rng.integers(0, n)) for n in LAYOUT.stream_sizes)
        symbols = LAYOUT.encode(codes, before)
        pieces.append(Piece(tuple(tiny_window(rng, steps).tokens()), tuple(symbols.tolist()), before))
    return pieces


def tiny_examples(count: int = 20, seed: int = 0) -> Examples:
    """Some of every kind."""
    return Examples(tiny_clips(count, seed), READINGS, tiny_pieces(count, seed), PLANS)


def tiny_config(**run):
    return parse_config(
        {
            "lora": {"rank": 4, "alpha": 8},
            "optim": {"lr": 1e-2, "warmup_steps": 2},
            "data": {"read": 0.25, "perform": 0.25, "see": 0.25, "understand": 0.25, "max_tokens": 120, "batch_tokens": 160,
                     "window": 16},
            "run": {"max_minutes": 0, "max_steps": 6, "val_examples": 4, **run},
        }
    )
