"""What decodes, beside the model itself. Imports llm/decode.py and what lies below llm."""

from __future__ import annotations

from typing import Literal

from ..decode import Decoder, TorchDecoder
from ..model import MotionModel

Backend = Literal["torch", "vllm"]


def decoder_of(backend: Backend, model: MotionModel, most: int) -> Decoder:
    """The decoder of a merged model.

    Raises:
        ImportError: its library is not installed.
    """
    if backend == "torch":
        return TorchDecoder(model, most)
    from .vllm import VllmDecoder

    return VllmDecoder(model, most)
