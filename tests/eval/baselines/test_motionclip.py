"""The MotionCLIP baseline: its blocks, its training, its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.common.progress import silent
from facelm.eval.baselines.i2fet.config import MotionCLIPConfig
from facelm.eval.baselines.motionclip.model import MotionCLIP, sinusoids
from facelm.eval.baselines.motionclip.train import TrainedMotionCLIP, between, train_motionclip
from facelm.face.head.model import HeadModel
from i2fet_tiny import Clouds, WordText, clouds, tiny

QUIET = dict(progress=silent)
SMALL = MotionCLIPConfig(frames=6, width=16, layers=1, heads=2, ff=32)


@pytest.fixture(scope="module")
def data(head: HeadModel) -> Clouds:
    return clouds(head)


def test_shapes_and_the_latents_length() -> None:
    net = MotionCLIP(SMALL, 41, 24).eval()
    latent = net.encode(torch.randn(3, 6, 47))
    assert latent.shape == (3, 24)
    torch.testing.assert_close(latent.norm(dim=-1), torch.full((3,), 24 ** 0.5))
    assert net.decode(latent, 9).shape == (3, 9, 47)
    torch.testing.assert_close(net.direction(torch.randn(3, 24)).norm(dim=-1), torch.full((3,), 24 ** 0.5))


def test_the_decoder_knows_the_motion_by_the_latent_alone() -> None:
    net = MotionCLIP(SMALL, 41, 24).eval()
    a, b = torch.randn(2, 24)
    one = net.decode(torch.stack([a, b]), 6)
    torch.testing.assert_close(one[0], net.decode(a[None], 6)[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one[0], one[1]) and not torch.allclose(one[0, 0], one[0, 5])


def test_the_encoder_sees_the_order_of_frames() -> None:
    net = MotionCLIP(SMALL, 41, 24).eval()
    x = torch.randn(1, 6, 47)
    assert not torch.allclose(net.encode(x), net.encode(x.flip(1)), atol=1e-4)


def test_positions_and_straight_lines() -> None:
    table = sinusoids(5, 8)
    assert table.shape == (5, 8) and table[0].tolist() == [0, 1] * 4
    torch.testing.assert_close(table[3, :2], torch.tensor([np.sin(3.0), np.cos(3.0)], dtype=torch.float32))
    keys = torch.randn(2, 2, 5)
    line = between(keys, 7)
    torch.testing.assert_close(line[:, [0, 3, 6]], torch.stack([keys[:, 0], keys.mean(1), keys[:, 1]], 1))


@pytest.mark.slow
def test_it_learns_what_the_instruction_names(head: HeadModel) -> None:
    data = clouds(head, count=420)
    recipe = tiny(motionclip={"width": 48, "ff": 96, "vertex": 0.0, "align": 1.0, "fit": {"epochs": 20, "lr": 3e-3}})
    made = train_motionclip(recipe, *data.train_arguments(head), encoder=WordText(), **QUIET)
    said = data.instructions[:60]
    expr, pose = made.generate(said)
    hits = data.classify(expr, pose) == data.labels[:60]
    assert hits.mean() > 0.5, "far above one in seven"
    assert made.history.val[-1] < 0.7 * made.history.val[0]
    frames = made.sequence(said[:2])
    np.testing.assert_allclose(frames[:, [0, -1], :41], expr[:2], atol=1e-5)


def test_saved_loaded_and_resumed(head: HeadModel, data: Clouds, tmp_path: Path) -> None:
    recipe = tiny(motionclip={"dropout": 0.1, "fit": {"epochs": 3, "save_epochs": 1}})
    whole = train_motionclip(recipe, *data.train_arguments(head), encoder=WordText(), **QUIET)
    assert set(whole.history.terms[0]) == {"frames", "velocity", "align", "vertex"}

    def stop(epoch: int, epochs: int, stage: str = "") -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_motionclip(recipe, *data.train_arguments(head), out=tmp_path, progress=stop)
    resumed = train_motionclip(recipe, *data.train_arguments(head), out=tmp_path, encoder=WordText(), **QUIET)
    assert resumed.history.val == whole.history.val
    loaded = TrainedMotionCLIP.load(tmp_path, head).with_encoder(WordText())
    for a, b in zip(whole.generate(data.instructions[:2]), loaded.generate(data.instructions[:2]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert loaded.latents(data.instructions[:4], data.expr[:4], data.pose[:4]).shape == (4, 24)
    with pytest.raises(ValueError, match="another configuration"):
        train_motionclip(recipe.change(motionclip={"layers": 2}), *data.train_arguments(head), out=tmp_path, **QUIET)


def test_wrong_data_is_refused(head: HeadModel, data: Clouds) -> None:
    samples, _ = data.train_arguments(head)
    with pytest.raises(ValueError, match="expr has shape"):
        train_motionclip(tiny(), replace(samples, expr=samples.expr[..., :30]), head, **QUIET)
    three = {name: np.concatenate([v, v[:, :1]], 1) for name, v in (("expr", samples.expr), ("pose", samples.pose))}
    with pytest.raises(ValueError, match="pairs"):
        train_motionclip(tiny(), replace(samples, **three), head, **QUIET)
