"""Shared fixtures; `--slow` runs what takes more than a few seconds."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # pytest-xdist runs a process a core
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from facelm.data_gen.performer.animator import perform  # noqa: E402
from facelm.data_gen.performer.sampler import sample_script  # noqa: E402
from facelm.face.clip.sequence import FaceSequence  # noqa: E402
from facelm.face.head.model import HeadModel  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")  # the same examples in every run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    import torch

    skip_slow = pytest.mark.skip(reason="slow: run with --slow")
    skip_gpu = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(skip_slow)
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(skip_gpu)


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.default()


@pytest.fixture(scope="session")
def clips() -> list[FaceSequence]:
    """Twenty performer clips without idle motion."""
    return [perform(sample_script(np.random.default_rng(i))) for i in range(20)]


@pytest.fixture()
def random_clip(head: HeadModel) -> FaceSequence:
    """Small random values in every field; 30 frames."""
    rng = np.random.default_rng(7)
    rest = FaceSequence.rest(30, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
    return rest.replace(
        expr=rng.uniform(0, 1, rest.expr.shape).astype(np.float32),
        shape=rng.normal(0, 1, rest.shape.shape).astype(np.float32),
        **{k: rng.normal(0, 0.2, getattr(rest, k).shape).astype(np.float32)
           for k in ("rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")})
