"""Photometric refinement on pictures drawn with known motion."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from facelm.data_gen.fit.photometric import PhotometricConfig, refine
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.render.camera import Camera, PinholeCamera
from facelm.face.render.render import Renderer

HEAD = HeadModel.default()
SIDE, DISTANCE, FOV, FRAMES = 160, 1.0, 16.0, 4
CAMERA = PinholeCamera(SIDE / 2 / np.tan(np.radians(FOV) / 2), SIDE, SIDE)


def clip() -> tuple[FaceSequence, list[np.ndarray]]:
    """A mouth that opens, drawn; camera frame."""
    rest = FaceSequence.rest(FRAMES, HEAD.ref)
    jaw = np.zeros((FRAMES, 3), np.float32)
    jaw[:, 0] = np.linspace(0.0, 0.3, FRAMES)
    seq = rest.replace(jaw_pose=jaw, translation=np.tile(np.array([0, 0.02, -DISTANCE], np.float32), (FRAMES, 1)))
    renderer = Renderer(HEAD, Camera((0.0, 0.0, 0.0), DISTANCE, FOV), SIDE)
    return seq, [renderer.draw(v + np.array([0, 0, DISTANCE], np.float32)) for v in HEAD.sequence_vertices(seq)]


def lips(a: FaceSequence, b: FaceSequence) -> float:
    """mm between the lips of two clips."""
    return float(np.linalg.norm((HEAD.sequence_vertices(a) - HEAD.sequence_vertices(b))[:, HEAD.masks["lips_lower"]],
                                axis=-1).mean() * 1e3)


def test_follows_the_pictures() -> None:
    pytest.importorskip("deodr")
    truth, pictures = clip()
    jaw = np.array(truth.jaw_pose)
    jaw[1] += (0.05, 0, 0)
    jaw[2] -= (0.05, 0, 0)
    wrong = truth.replace(jaw_pose=jaw)
    done: list[int] = []
    out = refine(wrong, CAMERA, pictures, HEAD, PhotometricConfig(side=96, rounds=1, steps=10, pixels=300, smooth=0.0),
                 lambda k, n: done.append(k))
    assert done == list(range(1, 11))
    assert np.nanmean(out.after) < np.nanmean(out.before)
    assert lips(out.seq, truth) < 0.85 * lips(wrong, truth)
    assert (out.seq.translation == truth.translation).all() and (out.seq.rotation == truth.rotation).all()


def test_frames_without_a_face_stay() -> None:
    pytest.importorskip("deodr")
    truth, pictures = clip()
    fit = truth.replace(valid=np.array([True, False, True, True]))
    out = refine(fit, CAMERA, iter(pictures), HEAD, PhotometricConfig(side=64, rounds=1, steps=2))
    assert (out.seq.jaw_pose[1] == fit.jaw_pose[1]).all() and np.isnan(out.before[1]) and np.isfinite(out.after[2])
    nobody = truth.replace(valid=np.zeros(FRAMES, bool))
    assert refine(nobody, CAMERA, pictures, HEAD).seq is nobody


def test_wrong_input_is_refused() -> None:
    pytest.importorskip("deodr")
    truth, pictures = clip()
    with pytest.raises(ValueError, match="3 frames for a fit of 4"):
        refine(truth, CAMERA, pictures[:3], HEAD)
    with pytest.raises(ValueError, match="more frames"):
        refine(truth, CAMERA, pictures + pictures, HEAD)
    with pytest.raises(ValueError, match="side 8"):
        PhotometricConfig(side=8)
    with pytest.raises(ValueError, match="rate is 0"):
        PhotometricConfig(rate=0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("deodr"):
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    truth = FaceSequence.rest(2, HEAD.ref)
    with pytest.raises(ImportError, match=r"facelm\[photometric\]"):
        refine(truth, CAMERA, [], HEAD)
