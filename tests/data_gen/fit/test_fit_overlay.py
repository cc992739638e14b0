"""The overlay: its camera, its points, and its files; with a made-up fit, so that no detector is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.fit.detect import Detections
from facelm.data_gen.fit.overlay import draw_points, region_colours, render_camera, sheet, write_overlay
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.media import MediaInfo, probe, read_frames
from facelm.face.io.video import write_mp4
from facelm.face.landmarks.points import embedding_for
from facelm.face.render.camera import PinholeCamera
from facelm.face.render.render import Renderer

T, W, H = 6, 192, 144


@dataclass(frozen=True)
class Fit:
    """What an overlay needs of a fit."""

    seq: FaceSequence
    camera: PinholeCamera
    detections: Detections
    info: MediaInfo | None
    points: np.ndarray
    index: np.ndarray


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    head = HeadModel.default()
    path = tmp_path_factory.mktemp("overlay") / "clip.mp4"
    write_mp4((np.full((H, W, 3), 40, np.uint8) for _ in range(T)), path, (W, H), 25.0, T)
    seq = FaceSequence.rest(T, head.ref, n_expr=head.n_expr)
    centre = head.v_template.mean(0)
    move = np.stack([np.linspace(-0.05, 0.05, T), np.zeros(T), np.full(T, -0.8)], 1) - centre
    seq = seq.replace(translation=move.astype(np.float32), valid=np.array([True] * 5 + [False]))
    camera = PinholeCamera(260.0, W, H)
    embedding = embedding_for(head)
    points = camera.project(embedding.positions(head.sequence_vertices(seq), head.faces))
    seen = np.full((T, 478, 2), np.nan, np.float32)
    seen[:, embedding.index] = points
    return Fit(seq, camera, Detections(
        seen, np.zeros((T, 478), np.float32), np.zeros((T, 52), np.float32), np.zeros((T, 4, 4), np.float32),
        np.ones(T, bool), W, H, 25.0), probe(path), points, embedding.index)


def test_the_renderers_camera_sees_what_the_pinhole_camera_projects(fit: Fit) -> None:
    head = HeadModel.default()
    vertices = head.sequence_vertices(fit.seq, [0])
    drawn = Renderer(head, render_camera(fit.camera, vertices), (W, H)).draw(vertices[0])
    empty = Renderer(head, render_camera(fit.camera, vertices), (W, H)).draw(vertices[0] + np.array([9, 0, 0], np.float32))
    rows, columns = np.nonzero(np.abs(drawn.astype(int) - empty).sum(-1) > 12)
    flat = fit.camera.project(vertices[0])
    for mask, truth in ((columns, flat[:, 0]), (rows, flat[:, 1])):
        assert mask.min() == pytest.approx(max(0, truth.min()), abs=2)
        assert mask.max() + 1 == pytest.approx(min(truth.max(), W if mask is columns else H), abs=2)


def test_points_are_drawn_where_they_are() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    points = np.array([[20.5, 10.5], [np.nan, 3], [-5.0, 300.0], [59.9, 39.9]])
    draw_points(picture, points, np.array([255, 100, 0]), 1.5)
    assert picture[10, 20].tolist() == [255, 100, 0] and picture[39, 59, 0] > 0
    rows, columns = np.nonzero(picture[:30].sum(-1))
    weight = picture[rows, columns, 0].astype(float)
    assert np.average(columns + 0.5, weights=weight) == pytest.approx(20.5, abs=0.05)
    assert np.average(rows + 0.5, weights=weight) == pytest.approx(10.5, abs=0.05)


def test_regions_have_colours(fit: Fit) -> None:
    colours = region_colours(fit.index, HeadModel.default())
    assert colours.shape == (len(fit.index), 3) and len(np.unique(colours, axis=0)) >= 9


def test_video(fit: Fit, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = write_overlay(fit, tmp_path / "check.mp4", progress=lambda *a: seen.append(a))
    info = probe(path)
    assert (info.width, info.height, info.frames) == (3 * W + 8, H + 22, T) and seen[-1] == (T, T)
    frames = np.stack(list(read_frames(info))).astype(int)[:, 22:]
    left, mesh, points = frames[:, :, :W], frames[:, :, W + 4:2 * W + 4], frames[:, :, 2 * W + 8:]
    assert np.abs(left - 40).max() < 12  # the input as it is
    covered = np.abs(mesh - 40).sum(-1) > 60
    assert covered[:5].mean() > 0.1
    middle = [np.nonzero(c)[1].mean() for c in covered[:5]]
    assert np.all(np.diff(middle) > 1)  # the head moves to the right
    assert (np.abs(points[0] - 40).sum(-1) > 60).sum() > 100
    assert covered[5, 30:].mean() < 0.1 * covered[4, 30:].mean()  # a frame without a trusted fit shows a label only


def test_sheet(fit: Fit, tmp_path: Path) -> None:
    picture = sheet(fit, frames=3)
    assert picture.dtype == np.uint8 and picture.shape[0] > 3 * 100 and picture.shape[1] > 3 * 100
    assert write_overlay(fit, tmp_path / "check.png").stat().st_size > 1000
    nothing = replace(fit, seq=fit.seq.replace(valid=np.zeros(T, bool)))
    assert sheet(nothing, frames=2).ndim == 3


def test_errors_are_one_line(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be .mp4 or .png"):
        write_overlay(fit, tmp_path / "check.avi")
    with pytest.raises(ValueError, match="does not know its video"):
        write_overlay(replace(fit, info=None), tmp_path / "check.mp4")
    seen = fit.detections
    shorter = replace(seen, **{k: getattr(seen, k)[:4] for k in ("points", "depth", "blendshapes", "pose", "valid")})
    with pytest.raises(ValueError, match="6 frames fitted, 4 detected"):
        write_overlay(replace(fit, detections=shorter), tmp_path / "check.mp4")
    assert fit.info is not None
    with pytest.raises(FileNotFoundError, match="is gone"):
        write_overlay(replace(fit, info=replace(fit.info, path=tmp_path / "gone.mp4")), tmp_path / "check.mp4")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_overlay(fit, tmp_path / "nowhere" / "check.mp4")
    assert not list(tmp_path.glob("*.mp4"))
