"""Next3D as the generator of the dual mappers: an adapter over a user's own checkout; nothing of it ships or is fetched.

Sun et al. 2023, https://arxiv.org/abs/2211.11208, https://github.com/MrTornado24/Next3D: NVIDIA's source code licence, research
only; its weights and FLAME's have terms of their own. The adapter imports the checkout's modules, so give it only a copy that you
trust. It was not run against the real weights: its calls are those of the repository (``synthesis(ws, c, v)`` with FLAME's
vertices and 68 landmarks in ``v``), and a stand-in answers the same calls in the tests.

Layout of the folder::

    checkout/                 the repository, importable (training_avatar_texture/, torch_utils/, dnnlib/)
    generator.safetensors     the generator's state dict, ``G_ema``, converted from its pickle once by you
    generator.json            {"class": "training_avatar_texture.triplane_v20.TriPlaneGenerator", "arguments": {...}}
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....common.files import naming
from ....common.tensors import load_tensors
from ....face.head.layer import HeadLayer
from ....face.head.model import HeadModel
from .generator import People

NEEDED = ("checkout", "generator.safetensors", "generator.json")


class Next3DGenerator:
    """A :class:`~.generator.Generator`.

    Args:
        folder: see the module.
        flame: a FLAME head (``facelm head import``), whose vertices drive the neural texture.
        camera: (25,) the pose and intrinsics that EG3D's generators take.
        build: makes the network of its configuration; None: imports the checkout.

    Raises:
        FileNotFoundError: a part of the folder is missing.
        ValueError: its configuration or weights do not fit.
    """

    def __init__(self, folder: str | Path, flame: HeadModel, camera: Tensor, build: Callable[[dict[str, Any]], Any] | None = None
                 ) -> None:
        path = Path(folder)
        if missing := [n for n in NEEDED if not (path / n).exists()]:
            raise FileNotFoundError(f"{path} is no Next3D folder: it lacks {missing[0]}; needed: {', '.join(NEEDED)} (see the "
                                    "documentation of the adapter)")
        with naming(path / "generator.json"):
            config = json.loads((path / "generator.json").read_text(encoding="utf-8"))
            if not isinstance(config, dict) or set(config) != {"class", "arguments"}:
                raise ValueError("needed: an object with class and arguments")
        self.net = (build or _builder(path / "checkout"))(config)
        weights = load_tensors(path / "generator.safetensors").tensors
        try:
            self.net.load_state_dict(weights)
        except RuntimeError as err:
            why = str(err).splitlines()[0]
            raise ValueError(f"{path / 'generator.safetensors'} does not fit {config['class']}: {why}") from err
        self.net.eval().requires_grad_(False)
        self.layer, self.camera = HeadLayer(flame), camera
        self.marks = HeadLayer(flame, landmarks=True)
        self.codes, self.expressions = (int(self.net.num_ws), int(self.net.w_dim)), flame.n_expr + 1
        self.limits = (-math.inf, math.inf)

    def picture(self, w: Tensor, psi: Tensor, people: People) -> Tensor:
        """See :class:`~.generator.Generator`; ``people.shape`` is FLAME's, their texture is in w."""
        jaw = torch.cat([psi[:, -1:], torch.zeros_like(psi[:, :2])], 1)
        mesh = [layer(expr=psi[:, :-1], jaw_pose=jaw, shape=people.shape) for layer in (self.layer, self.marks)]
        made = self.net.synthesis(w, self.camera.expand(len(w), -1), torch.cat(mesh, 1), noise_mode="const")
        return torch.as_tensor((made["image"] + 1) / 2).clamp(0, 1)


def _builder(checkout: Path) -> Callable[[dict[str, Any]], Any]:
    def build(config: dict[str, Any]) -> Any:
        module, _, name = str(config["class"]).rpartition(".")
        sys.path.insert(0, str(checkout))
        try:
            return getattr(import_module(module), name)(**config["arguments"])
        except (ImportError, AttributeError, TypeError, ValueError) as err:
            raise ValueError(f"{checkout}: {config['class']} cannot be built ({type(err).__name__}: {err})") from err
        finally:
            sys.path.remove(str(checkout))

    return build
