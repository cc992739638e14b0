"""Rendering: what a person must be able to see is measured in pixels."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.facs.poses import pose_of
from facelm.face.head.model import HeadModel
from facelm.face.io.rendering import render
from facelm.face.io.video import write_mp4
from facelm.face.render import raster
from facelm.face.render.camera import Camera, portrait
from facelm.face.render.render import Renderer, contact_sheet, key_frames, render_frames
from facelm.face.render.shading import Eyes, Palette, appearance
from PIL import Image

SIZE = 160


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


def clip(head: HeadModel, frames: int = 1, **motion: object) -> FaceSequence:
    """A clip at rest but for expression columns by name and poses (broadcast over the frames)."""
    seq = FaceSequence.rest(frames, head.ref, n_expr=head.n_expr)
    changes: dict[str, np.ndarray] = {}
    expr = seq.expr.copy()
    for name, value in motion.items():
        if name in head.expr_names:
            expr[:, head.expr_names.index(name)] = value
        else:
            changes[name] = np.broadcast_to(np.asarray(value, np.float32), getattr(seq, name).shape)
    return seq.replace(expr=expr, **changes)


def picture(head: HeadModel, **motion: object) -> np.ndarray:
    seq = clip(head, **motion)
    camera = portrait(clip(head), head, SIZE)
    return next(iter(render_frames(seq, head, SIZE, camera=camera))).astype(float)


def spot(head: HeadModel, name: str, **motion: object) -> tuple[int, int]:
    """(x, y) pixel of a landmark under the camera of ``picture``."""
    camera = portrait(clip(head), head, SIZE)
    v = head.vertices(**{k: getattr(clip(head, **motion), k) for k in ("expr", "neck_pose", "jaw_pose")})
    p = head.landmarks(v)[0, head.landmark_index(name)] - np.array(camera.target)
    focal = SIZE / 2 / np.tan(np.radians(camera.fov) / 2)
    depth = camera.distance - p[2]
    return int(SIZE / 2 + focal * p[0] / depth), int(SIZE / 2 - focal * p[1] / depth)


def window(head: HeadModel, image: np.ndarray, name: str, half: int) -> np.ndarray:
    x, y = spot(head, name)
    return image[y - half:y + half + 1, x - half:x + half + 1]


def test_depth_buffer_shows_the_nearest_face_and_its_weights() -> None:
    screen = np.array([[0, 0, 1], [16, 0, 1], [0, 16, 1], [0, 0, 2], [8, 0, 2], [0, 8, 2]], np.float32)
    faces = np.array([[0, 1, 2], [3, 5, 4]], np.int32)  # the nearer one is wound the other way
    near, face = np.empty((16, 16), np.float32), np.empty((16, 16), np.int32)
    bary = np.empty((16, 16, 2), np.float32)
    for order in (faces, faces[::-1].copy()):
        raster.depth_buffer(screen, order, 1, False, near, face, bary)
        assert near[1, 1] == 2 and near[2, 10] == 1 and face[15, 15] == -1
        corners = screen[order[face[2, 10]]]
        b1, b2 = bary[2, 10]
        where = (1 - b1 - b2) * corners[0] + b1 * corners[1] + b2 * corners[2]
        np.testing.assert_allclose(where[:2], [10.5, 2.5], atol=1e-5)
        assert (face >= 0).sum() == 16 * 17 / 2  # pixel centres on or inside the long edge


def test_culling_leaves_out_one_winding_only() -> None:
    screen = np.array([[0, 0, 1], [16, 0, 1], [0, 16, 1]], np.float32)
    near, face = np.empty((16, 16), np.float32), np.empty((16, 16), np.int32)
    bary = np.empty((16, 16, 2), np.float32)
    for corners, area in (([0, 1, 2], 1), ([0, 2, 1], -1)):
        for front in (-1, 1):
            for only in (False, True):
                raster.depth_buffer(screen, np.array([corners], np.int32), front, only, near, face, bary)
                assert (face >= 0).any() == (not only or front == area)


def test_triangles_that_share_an_edge_leave_no_hole() -> None:
    rng = np.random.default_rng(0)
    near, face = np.empty((64, 64), np.float32), np.empty((64, 64), np.int32)
    bary = np.empty((64, 64, 2), np.float32)
    for _ in range(20):
        hub = rng.uniform(24, 40, 2)
        rim = np.array([[-9, -9], [73, -9], [73, 73], [-9, 73]]) + rng.uniform(-3, 3, (4, 2))
        screen = np.c_[np.vstack([hub, rim]), np.ones(5)].astype(np.float32)
        fan = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]], np.int32)
        raster.depth_buffer(screen, fan, 1, False, near, face, bary)
        assert (face < 0).sum() == 0


def test_normals_of_a_sphere_point_outwards() -> None:
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(3)
    v = ball.vertices.astype(np.float32)
    out = np.empty_like(v)
    raster.vertex_normals(v, ball.faces.astype(np.int32), out)
    assert (out * v).sum(1).min() > 0.999


def test_the_same_clip_is_drawn_the_same_and_in_order(head: HeadModel) -> None:
    seq = clip(head, 5)
    turning = seq.replace(neck_pose=np.outer(np.linspace(0, 0.5, 5), [0, 1, 0]).astype(np.float32))
    all_at_once = list(render_frames(turning, head, 64))
    camera = portrait(turning, head, 64)
    one_by_one = [next(iter(render_frames(turning, head, 64, frames=[i], camera=camera))) for i in range(5)]
    np.testing.assert_array_equal(all_at_once, one_by_one)
    assert all_at_once[0].shape == (64, 64, 3) and all_at_once[0].dtype == np.uint8
    assert np.abs(all_at_once[0].astype(int) - all_at_once[4]).mean() > 2


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (65, 33)])
def test_the_head_is_inside_the_frame_wherever_it_turns(head: HeadModel, size: tuple[int, int]) -> None:
    angles = np.linspace(-1, 1, 5)
    seq = clip(head, 5).replace(
        neck_pose=np.stack([0.3 * angles, 0.8 * angles, 0.3 * angles], 1).astype(np.float32),
        translation=np.outer(angles, [0.03, 0.02, 0.1]).astype(np.float32))
    background = Renderer(head, Camera((0, 50, 0), 1.0), size).draw(head.v_template)
    for frame in render_frames(seq, head, size):
        assert frame.shape == (size[1], size[0], 3)
        drawn = np.abs(frame.astype(int) - background).max(-1) > 12
        assert 0.15 < drawn.mean() < 0.75
        upper = drawn[: int(0.7 * size[1])]  # the shoulders may leave the frame, the head may not
        assert not upper[0].any() and not upper[:, 0].any() and not upper[:, -1].any()


def test_lips_are_redder_than_skin_and_brows_darker(head: HeadModel) -> None:
    image = picture(head)
    red = image[..., 0] / (image[..., 1] + 1)
    lip_x, lip_y = spot(head, "ibug_57")
    skin_x, skin_y = spot(head, "forehead")
    assert red[lip_y, lip_x] > 1.1 * red[skin_y, skin_x]
    for brow in ("ibug_19", "ibug_24"):
        x, y = spot(head, brow)
        assert image[y - 1:y + 3, x - 1:x + 2].mean(-1).min() < 0.75 * image[skin_y, skin_x].mean()


def test_gaze_moves_the_iris(head: HeadModel) -> None:
    """The dark of the iris lies to the picture's right when the subject looks to the own left."""
    def dark_x(image: np.ndarray, side: str) -> float:
        patch = window(head, image, f"pupil_{side}", 6)[3:10].mean(-1)
        weight = np.clip(np.median(patch) - patch, 0, None)
        return float((weight * np.arange(13)).sum() / weight.sum())

    def gaze(yaw: float) -> np.ndarray:
        return picture(head, eyes_pose=[0, yaw, 0, 0, yaw, 0])

    left, ahead, right = gaze(0.4), gaze(0.0), gaze(-0.4)
    for side in ("left", "right"):
        assert dark_x(left, side) > dark_x(ahead, side) + 0.5 > dark_x(right, side) + 1.0


def test_a_blink_hides_the_eyes(head: HeadModel) -> None:
    """Iris and sclera vanish: the eye's window loses its contrast."""
    open_ = window(head, picture(head), "pupil_left", 3)
    shut = window(head, picture(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0), "pupil_left", 3)
    assert shut.mean(-1).std() < 0.6 * open_.mean(-1).std()


def test_an_open_mouth_is_dark_inside_and_shows_teeth_or_tongue(head: HeadModel) -> None:
    jaw = [0.35, 0.0, 0.0]
    image = picture(head, jaw_pose=jaw)
    (_, top), (x, bottom) = spot(head, "ibug_62", jaw_pose=jaw), spot(head, "ibug_66", jaw_pose=jaw)
    assert bottom - top > 8
    column = image[top:bottom, x - 1:x + 2].mean((1, 2))
    assert column.min() < 0.4 * picture(head)[spot(head, "forehead")[1], spot(head, "forehead")[0]].mean()


def posed(head: HeadModel, name: str, strength: float = 1.0) -> dict[str, object]:
    """What an action or emotion asks of a head, as :func:`clip` takes it."""
    pose = {k: strength * x for k, x in pose_of(name).items()}
    return {k: x for k, x in pose.items() if k in head.expr_names} | {"jaw_pose": [pose.get("jaw_x", 0.0), 0.0, 0.0]}


@pytest.mark.parametrize("name", ["lip_press", "lip_suck", "anger", "chin_raise", "lip_pucker"])
def test_closed_lips_show_no_specks_of_teeth(head: HeadModel, name: str) -> None:
    motion = posed(head, name)
    image = picture(head, **motion).astype(int)
    (left, _), (right, _), (_, y) = (spot(head, f"ibug_{k}", **motion) for k in (48, 54, 62))
    seam = image[y - 4:y + 5, left:right + 1]
    assert (seam[..., 0] - seam[..., 2]).min() > 12, "redder than teeth everywhere"


def test_the_back_of_a_mouth_is_dark_red_and_its_teeth_are_darker_than_the_front(head: HeadModel) -> None:
    motion = posed(head, "mouth_open") | {"neck_pose": [0.0, 0.5, 0.0]}
    (x, top), (_, bottom) = spot(head, "ibug_62", **motion), spot(head, "ibug_66", **motion)
    inner = picture(head, **motion).astype(int)[top:bottom, x - 4:x + 5].reshape(-1, 3)
    red, _, blue = inner[inner.sum(1).argmin()]
    assert red > 20 and red > 1.3 * blue, "no black hole"
    look, teeth = appearance(head), np.concatenate([head.masks["teeth_upper"], head.masks["teeth_lower"]])
    back = head.v_template[teeth, 2] < head.v_template[teeth, 2].max() - 0.03
    assert look.albedo[teeth[back]].mean() < 0.4 * look.albedo[teeth[~back]].max()


def test_expressions_differ_visibly(head: HeadModel) -> None:
    rest = picture(head)
    for motion in ({"mouthSmileLeft": 1, "mouthSmileRight": 1}, {"browInnerUp": 1}, {"jaw_pose": [0.2, 0, 0]},
                   {"neck_pose": [0, 0.5, 0]}):
        changed = np.abs(picture(head, **motion) - rest).max(-1) > 15
        assert changed.sum() > 40, motion


def test_key_frames_find_a_blink_and_both_ends(head: HeadModel) -> None:
    seq = clip(head, 100)
    expr = seq.expr.copy()
    expr[61:64, head.expr_names.index("eyeBlinkLeft")] = 1.0
    picked = key_frames(seq.replace(expr=expr), 8)
    assert picked[0] == 0 and picked[-1] == 99 and len(set(picked)) == 8 and picked == sorted(picked)
    assert any(61 <= i < 64 for i in picked)
    assert max(np.diff(key_frames(seq, 8))) <= 25  # nothing happens: spread over time
    assert key_frames(seq.slice(0, 3), 8) == [0, 1, 2]


def test_png_is_a_sheet_with_title_and_timeline(head: HeadModel, tmp_path: Path) -> None:
    seq = clip(head, 30)
    calls: list[tuple[int, int]] = []
    plain = contact_sheet(seq, head, frames=6, columns=3, size=64, progress=lambda *p: calls.append(p))
    assert calls[-1] == (6, 6)
    rich = contact_sheet(seq, head, frames=6, columns=3, size=64, title="She smiles, then nods. " * 9,
                         timeline=[("smile", 0.1, 0.9), ("nod", 0.5, 1.2), ("smile", 1.0, 1.1)])
    assert rich.shape[1] == plain.shape[1] and rich.shape[0] > plain.shape[0] + 40
    path = render(seq, tmp_path / "x.png", head, size=48, title="hello", timeline=[])
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 5 * 48
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_mp4_has_the_frames_rate_and_pixels(head: HeadModel, tmp_path: Path) -> None:
    seq = clip(head, 12, neck_pose=[0, 0.2, 0])
    path = render(seq, tmp_path / "x.mp4", head, size=(65, 49), title="a title")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index at the front: players start at once
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        colours = {stream.colorspace, stream.color_primaries, stream.color_trc}
        assert film.metadata["title"] == "a title" and stream.codec.name == "h264" and stream.pix_fmt == "yuv420p"
        assert stream.average_rate == 25 and len(frames) == 12 and frames[0].shape == (50, 66, 3) and colours == {1}  # BT.709
    wanted = next(iter(render_frames(seq, head, (65, 49))))
    assert np.abs(frames[3][:49, :65].astype(int) - wanted).mean() < 4
    slow = render(seq, tmp_path / "slow.mp4", head, size=64, fps=10)
    with av.open(str(slow)) as film:
        assert film.streams.video[0].average_rate == 10
    with pytest.raises(ValueError, match="no frames"):
        write_mp4([], tmp_path / "none.mp4", (64, 64), 25.0, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["slow.mp4", "x.mp4"]


def test_gif_keeps_the_duration(head: HeadModel, tmp_path: Path) -> None:
    turn = np.outer(np.linspace(0, 0.6, 24), [0, 1, 0]).astype(np.float32)
    path = render(clip(head, 24).replace(neck_pose=turn, fps=24.0), tmp_path / "x.gif", head, size=48)
    with Image.open(path) as image:
        assert image.n_frames == 24 and image.info["loop"] == 0
        total = 0
        for i in range(image.n_frames):
            image.seek(i)
            total += image.info["duration"]
    assert total == pytest.approx(1000, abs=10)


def test_wrong_requests_are_refused_and_leave_nothing(head: HeadModel, tmp_path: Path) -> None:
    seq = clip(head, 2)
    with pytest.raises(ValueError, match=r"\.mp4, \.gif, \.png"):
        render(seq, tmp_path / "x.avi", head)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        render(seq, tmp_path / "nowhere" / "x.png", head, size=32)
    for bad in (8, (64, 0), 100_000, (64, 64, 64)):
        with pytest.raises(ValueError, match="picture size"):
            render(seq, tmp_path / "x.png", head, size=bad)
    with pytest.raises(ValueError, match="of the head"):
        render(seq.replace(head=HeadRef("other", "1", "0" * 64)), tmp_path / "x.png", head)
    with pytest.raises(ValueError, match="frames"):
        render_frames(seq, head, 32, frames=[2])
    with pytest.raises(ValueError, match="palette"):
        Palette(lips=(2.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="pupil"):
        Eyes(iris=10, pupil=20)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for name in ("x.mp4", "x.gif", "x.png"):
        with pytest.raises(KeyboardInterrupt):
            render(seq, tmp_path / name, head, size=32, progress=interrupted)
    assert not list(tmp_path.iterdir())


def test_a_head_without_parts_or_masks_is_drawn(head: HeadModel) -> None:
    """An imported FLAME file has neither: eyeballs come from the skinning weights."""
    bare = HeadModel(
        name="bare", edition="test", v_template=head.v_template, faces=head.faces, shapedirs=head.shapedirs,
        posedirs=head.posedirs, J_regressor=head.J_regressor, weights=head.weights, n_shape=head.n_shape,
        expr_names=head.expr_names, lmk_names=(), lmk_faces=np.zeros(0, np.int32), lmk_bary=np.zeros((0, 3)))
    look = appearance(bare)
    eyes = look.extra[:, :3].any(1)
    assert 0 < eyes.sum() < 0.3 * len(eyes)
    frame = next(iter(render_frames(clip(bare), bare, 64)))
    assert frame.std() > 20


def test_numba_without_a_writable_cache_still_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    real = raster.numba.njit

    def locked(*args: object, **options: object) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(raster.numba, "njit", locked)
    assert raster.jit(lambda x: x + 1)(2) == 3
