"""Decoding with vLLM (https://docs.vllm.ai), on merged weights, in this process.

vLLM knows no grammar of ours. Each of its requests has a row of ``llm/decode.py`` behind it: a logits processor shows the
row the logits, the row chooses by its own rules and its own draws, and nothing but that token is left to be sampled. So the
grammar is the same code as without vLLM, and so are the draws of a seed.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...common.optional import require
from ...common.tensors import save_tensors
from ..decode import Decoder, Row
from ..model import MotionModel

LONGEST = 2048
"""Tokens of a prompt and what is written after it."""
_ROWS: dict[str, tuple[Row, MotionModel]] = {}
"""Rows that are being written, by request: the engine lies in this process, and passes on plain values only."""


class VllmDecoder(Decoder):
    """The decoder on vLLM; a copy of the merged weights lies in its engine.

    Args:
        model: merged; of an architecture that vLLM serves.
        most: rows at a time.

    Raises:
        ImportError: vLLM is not installed.
    """

    def __init__(self, model: MotionModel, most: int) -> None:
        super().__init__(model, most)
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # rows are looked up in this process
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))
        vllm = require("vllm", "vllm", "the backend vllm decodes with it")
        with tempfile.TemporaryDirectory(prefix="facelm-vllm-") as folder:
            write_merged(model, Path(folder))
            self._llm: Any = vllm.LLM(
                model=folder, skip_tokenizer_init=True, dtype=str(model.dtype).removeprefix("torch."), max_model_len=LONGEST,
                max_num_seqs=most, enforce_eager=True, enable_chunked_prefill=False, max_num_batched_tokens=2 * LONGEST,
                enable_prefix_caching=False, async_scheduling=False, disable_log_stats=True, logits_processors=[_processor()])
        self._params, self._numbers = vllm.SamplingParams, itertools.count()
        self._of: dict[str, Row] = {}

    @property
    def joins(self) -> bool:
        """Rows can always join."""
        return True

    def _written(self, new: Sequence[Row]) -> list[Row]:
        engine = self._llm.llm_engine
        for row in new:
            name = f"facelm-{id(self)}-{next(self._numbers)}"
            self._of[name], _ROWS[name] = row, (row, self.model)
            engine.add_request(name, {"prompt_token_ids": list(row.line)}, self._params(
                temperature=0.0, max_tokens=LONGEST - len(row.line), ignore_eos=True, detokenize=False,
                stop_token_ids=[self.model.vocabulary.begin], extra_args={"facelm": name}))
        ended = []
        self.steps, self.tokens = self.steps + 1, self.tokens + len(self._of)
        for done in engine.step():
            if done.finished:
                _ROWS.pop(done.request_id)
                ended.append(self._of.pop(done.request_id))
        return ended

    def _reset(self) -> None:
        self._llm.llm_engine.abort_request(list(self._of))
        for name in self._of:
            _ROWS.pop(name, None)
        self._of.clear()


def write_merged(model: MotionModel, folder: Path) -> None:
    """A merged model as a checkpoint of its base's kind, whose words are followed by the new rows."""
    state = {k: v.detach().clone() for k, v in model.lm.state_dict().items() if k != "lm_head.weight"}
    words = state["model.embed_tokens.weight"]
    state["model.embed_tokens.weight"] = torch.cat([words, model.rows.detach().to(words.dtype)])
    head = model.lm.get_output_embeddings().weight
    if head is not model.lm.get_input_embeddings().weight:
        state["lm_head.weight"] = torch.cat([head.detach(), model.rows.detach().to(head.dtype)])
    save_tensors(folder / "model.safetensors", state, {"format": "pt"})
    config = {**model.lm.config.to_dict(), "vocab_size": model.vocabulary.size, "architectures": [type(model.lm).__name__],
              "tie_word_embeddings": "lm_head.weight" not in state}
    config.pop("_attn_implementation", None)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def shown(logits: Tensor, row: Row, model: MotionModel) -> np.ndarray:
    """Of the logits of all rows of the vocabulary those that a row chooses from, as the model itself shows them."""
    words, layout = model.vocabulary.n_text, model.vocabulary.layout
    if row.kind == "text":
        part = logits[:words]
    elif row.kind == "script":
        part = logits[model.vocabulary.first_script:]
    else:
        part = torch.cat([logits[words + 2:words + 2 + layout.n_symbols], logits[words + 1:words + 2]])
    return part.float().cpu().numpy()


def _processor() -> type:
    """The logits processor, a class of vLLM's that needs vLLM to be defined."""
    from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

    class Rows(AdapterLogitsProcessor):  # type: ignore[misc]
        def is_argmax_invariant(self) -> bool:
            return False

        def new_req_logits_processor(self, params: Any) -> Callable[[list[int], Tensor], Tensor] | None:
            name = (params.extra_args or {}).get("facelm")
            if name not in _ROWS:
                return None
            row, model = _ROWS[name]
            taken = itertools.count()

            def process(written: list[int], logits: Tensor) -> Tensor:
                if len(written) != next(taken):
                    raise RuntimeError("vLLM asked twice for one token")
                try:
                    token = row.take(shown(logits, row, model))
                except Exception as err:  # the engine goes on with the others
                    row.fault, token = err, None
                logits.fill_(float("-inf"))
                logits[model.vocabulary.begin if token is None else token] = 0.0
                return logits

            return process

    return Rows
