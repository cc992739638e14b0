"""LoRA linears with a hand-written backward, saved in peft's layout.

Low-rank adaptation (https://arxiv.org/abs/2106.09685) with rank-stabilised scale
(https://arxiv.org/abs/2312.03732). The forward and backward are four plain matrix products
each, in the compute type, with nothing cast twice: on 2 CPU cores this trains about 1.5
times as many tokens a second as peft's modules under autocast (docs/language_model.md).
The parameters are peft's ``lora_A`` and ``lora_B`` and are saved in its layout
(:class:`PeftLayout`), so that ``PeftModel.from_pretrained`` reads the result.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from ..common.config import SETTINGS


@dataclass(frozen=True, config=SETTINGS)
class LoraConfig:
    """Shape of the adapter.

    Attributes:
        rank: of every adapted matrix.
        alpha: numerator of the scale.
        rslora: scale by ``alpha / sqrt(rank)`` instead of ``alpha / rank``, so that the best learning rate does
            not depend on the rank.
    """

    rank: Annotated[int, Field(ge=1, le=4096)] = 64
    alpha: Annotated[float, Field(gt=0)] = 64.0
    rslora: bool = True

    @property
    def scale(self) -> float:
        """Factor on the product of the two matrices."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


@dataclass(frozen=True)
class PeftLayout:
    """peft's ``adapter_config.json`` and the names of its tensors (https://huggingface.co/docs/peft).

    Attributes:
        base_model_name_or_path: of the base.
        r, lora_alpha, use_rslora: as in :class:`LoraConfig`.
        target_modules: last parts of the adapted linears' names.
        trainable_token_indices: ids of the new rows, by the embedding's name.
    """

    base_model_name_or_path: str
    r: int
    lora_alpha: float
    use_rslora: bool
    target_modules: list[str]
    trainable_token_indices: dict[str, list[int]]
    peft_type: str = "LORA"
    task_type: str = "CAUSAL_LM"
    inference_mode: bool = True
    lora_dropout: float = 0.0
    bias: str = "none"
    modules_to_save: list[str] | None = None

    FILE = "adapter_config.json"
    TENSORS = "adapter_model.safetensors"
    ROWS = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"

    @staticmethod
    def key(name: str, matrix: str) -> str:
        """Name of the tensor of ``lora_A`` or ``lora_B`` of a linear under ``model.layers``."""
        return f"base_model.model.model.layers.{name}.{matrix}.weight"


_ROWS = 256


def _whole(rows: Tensor) -> Tensor:
    """Rows with zeros after them up to a multiple of 256 on a CPU.

    oneDNN writes a kernel for every number of rows of a bf16 product, and keeps 1,024 of them; batches of all lengths need more.
    """
    spare = -len(rows) % _ROWS if rows.device.type == "cpu" and len(rows) > _ROWS else 0
    return torch.cat([rows, rows.new_zeros(spare, rows.shape[1])]) if spare else rows


class _LoraProduct(torch.autograd.Function):
    """``x W' + s (x A') B'`` and its gradients by x, A and B; W is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        flat = _whole(x.reshape(-1, x.shape[-1]))
        a, b = a.to(x.dtype), b.to(x.dtype)
        down = flat @ a.t()
        out = torch.addmm(flat @ weight.t(), down, b.t(), alpha=scale)
        ctx.save_for_backward(flat, weight, a, b, down)
        ctx.scale, ctx.shape = scale, x.shape
        return out[:x.numel() // x.shape[-1]].view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight, a, b, down = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        rows, grad = len(grad), _whole(grad)
        up = grad @ b
        d_x = torch.addmm(grad @ weight, up, a, alpha=ctx.scale)[:rows].view(ctx.shape) if ctx.needs_input_grad[0] else None
        d_a = (up.t() @ flat).float().mul_(ctx.scale)
        d_b = (grad.t() @ down).float().mul_(ctx.scale)
        return d_x, None, d_a, d_b, None


class LoraLinear(nn.Module):
    """A frozen linear ``(..., in) -> (..., out)`` with a trainable low-rank change (fp32 parameters)."""

    def __init__(self, linear: nn.Linear, config: LoraConfig) -> None:
        super().__init__()
        self.weight: Tensor
        self.bias: Tensor | None
        self.register_buffer("weight", linear.weight.detach(), persistent=False)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach(), persistent=False)
        out_features, in_features = linear.weight.shape
        self.scale = config.scale
        self.lora_A = nn.Parameter(torch.empty(config.rank, in_features))
        self.lora_B = nn.Parameter(torch.zeros(out_features, config.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _LoraProduct.apply(x, self.weight, self.lora_A, self.lora_B, self.scale)
        return out if self.bias is None else out + self.bias

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain linear with the change added in (the sum is made in fp32)."""
        out_features, in_features = self.weight.shape
        linear = nn.Linear(in_features, out_features, bias=self.bias is not None, device="meta")
        delta = (self.lora_B.float() @ self.lora_A.float()) * self.scale
        linear.weight = nn.Parameter((self.weight.float() + delta).to(self.weight.dtype), requires_grad=False)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias, requires_grad=False)
        return linear


def add_lora(stack: nn.Module, config: LoraConfig) -> list[str]:
    """Put a ``LoraLinear`` in the place of every linear under ``stack``; return their names."""
    names = [name for name, module in stack.named_modules() if isinstance(module, nn.Linear)]
    for name in names:
        parent, _, leaf = name.rpartition(".")
        holder = stack.get_submodule(parent)
        setattr(holder, leaf, LoraLinear(getattr(holder, leaf), config))
    return names


def merge_lora(stack: nn.Module) -> None:
    """Put plain merged linears back."""
    for name, module in list(stack.named_modules()):
        if isinstance(module, LoraLinear):
            parent, _, leaf = name.rpartition(".")
            setattr(stack.get_submodule(parent), leaf, module.merged())
