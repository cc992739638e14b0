"""The default head: file, equations, quality of its shapes, and agreement with smplx."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.face.clip import arrays as reading
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.rotation import rotation_matrices
from facelm.face.head.layer import HeadLayer
from facelm.face.head.layer import rotation_matrices as torch_rotations
from facelm.face.head.model import PART_NAMES, HeadModel
from flame_files import export_flame_layout
from head_variants import expr, mark

ASSET = Path(__file__).parents[3] / "face" / "assets" / "head_default.npz"


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


def random_pose(head: HeadModel, frames: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = {"rotation": (3, 0.6), "neck_pose": (3, 0.4), "jaw_pose": (3, 0.2), "eyes_pose": (6, 0.3),
             "translation": (3, 1.0)}
    out = {k: rng.normal(0, s, (frames, w)).astype(np.float32) for k, (w, s) in sizes.items()}
    out["expr"] = rng.uniform(0, 1, (frames, head.n_expr)).astype(np.float32)
    out["shape"] = rng.normal(0, 1, head.n_shape).astype(np.float32)
    return out


# -- what it is --------------------------------------------------------------------------------


def test_size_and_names(head: HeadModel) -> None:
    assert ASSET.stat().st_size < 3_000_000
    assert head.expr_names == EXPR_NAMES and head.n_expr == 41 and head.n_shape == 50
    assert 4000 <= head.n_vertices <= 6000
    assert head.lmk_names[:68] == tuple(f"ibug_{k:02d}" for k in range(68))
    assert head.part_names == PART_NAMES and set(np.unique(head.part)) >= {0, 1, 2, 3, 4, 5, 6}
    for name in ("lips", "brows", "lids", "cheeks", "jaw", "nose", "neck", "eyeball_left", "eyeball_right",
                 "teeth_upper", "teeth_lower", "tongue", "forehead", "skin"):
        assert len(head.masks[name]) > 10, name


def test_metric_and_orientation(head: HeadModel) -> None:
    rest = head.landmark_positions()[0]
    at = {n: rest[i] for i, n in enumerate(head.lmk_names)}
    assert 0.055 < at["pupil_left"][0] - at["pupil_right"][0] < 0.07, "subject's left is +x, adult distance"
    assert at["nose_tip"][2] > at["pupil_left"][2] > head.joints()[3][2], "faces +z"
    top = head.v_template[:, 1].max()
    assert 0.20 < top - rest[8, 1] < 0.25, "chin to crown"
    assert rest[0, 0] < -0.05 and rest[16, 0] > 0.05, "contour starts at the subject's right"


def test_landmarks_are_symmetric_and_in_order(head: HeadModel) -> None:
    p = head.landmark_positions()[0]
    mirrored = p[16::-1][:17] * [-1, 1, 1]
    assert np.abs(mirrored - p[:17]).max() < 1.5e-3
    assert (np.diff(p[2:15, 0]) > 0).all() and (np.diff(p[:9, 1]) < 0).all(), "contour runs down from the right ear"
    assert (np.diff(p[17:27, 0]) > 0).all(), "brows run from right to left"
    assert (np.diff(p[27:31, 1]) < 0).all(), "bridge runs downwards"
    assert (p[[37, 38, 43, 44], 1] > p[[41, 40, 47, 46], 1] + 5e-3).all(), "upper lids above lower lids"
    assert abs(p[62, 1] - p[66, 1]) < 1e-3, "lips closed at rest"
    assert p[51, 1] > p[62, 1] > p[57, 1]


def test_skin_is_one_piece_with_one_planar_neck_edge(head: HeadModel) -> None:
    skin = np.isin(np.arange(head.n_vertices), np.concatenate(
        [head.masks["skin"], head.masks["lips"], head.masks["mouth_inside"]]))
    faces = head.faces[skin[head.faces].all(1)]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2, "no edge has three faces"
    low = np.unique(unique[count == 1])
    low = low[head.v_template[low, 1] < -0.1]
    p = head.v_template[low]
    assert len(low) > 40 and np.linalg.svd(p - p.mean(0))[1][2] < 1e-5, "the open edge lies in a plane"
    assert head.weights[low, 0].min() > 0.99, "the edge stays put when the neck turns"


# -- equations ---------------------------------------------------------------------------------


def test_rest_is_the_template(head: HeadModel) -> None:
    assert np.abs(head.vertices()[0] - head.v_template).max() < 1e-6


def test_numpy_and_torch_agree(head: HeadModel) -> None:
    pose = random_pose(head, 5)
    ours = head.vertices(**pose)
    layer = HeadLayer(head)
    theirs = layer(**{k: torch.from_numpy(v) for k, v in pose.items()})
    assert np.abs(theirs.numpy() - ours).max() < 1e-5
    some = np.array([7, 4000, 12, 5000])
    part = HeadLayer(head, some)(**{k: torch.from_numpy(v) for k, v in pose.items()})
    assert np.abs(part.numpy() - ours[:, some]).max() < 1e-5
    assert np.abs(head.subset(some).vertices(**pose) - ours[:, some]).max() < 1e-6
    marks = HeadLayer(head, landmarks=True)(**{k: torch.from_numpy(v) for k, v in pose.items()})
    assert np.abs(marks.numpy() - head.landmarks(ours)).max() < 1e-5
    assert np.abs(head.landmark_positions(**pose) - head.landmarks(ours)).max() < 1e-6


def test_batching_does_not_matter(head: HeadModel) -> None:
    pose = random_pose(head, 40)
    shape = pose.pop("shape")
    whole = head.vertices(**pose, shape=shape)
    for t in (0, 13, 39):
        single = head.vertices(**{k: v[t:t + 1] for k, v in pose.items()}, shape=shape)
        assert np.abs(whole[t] - single[0]).max() < 2e-6


def test_rigid_motion(head: HeadModel) -> None:
    """Rotation turns everything about the root joint, translation moves everything."""
    pose = random_pose(head, 1)
    pose["rotation"] = np.zeros((1, 3), np.float32)
    pose["translation"] = np.zeros((1, 3), np.float32)
    still = head.vertices(**pose)[0]
    turn, move = np.array([[0.3, -0.8, 0.2]], np.float32), np.array([[0.1, 0.2, -0.3]], np.float32)
    moved = head.vertices(**(pose | {"rotation": turn, "translation": move}))[0]
    r = rotation_matrices(turn)[0]
    root = head.J_regressor[0] @ (head.v_template + np.concatenate([pose["shape"], pose["expr"][0]])
                                  @ head.shapedirs.transpose(0, 2, 1))
    assert np.abs((still - root) @ r.T + root + move - moved).max() < 2e-6


def test_rotations_are_rotations_also_near_zero() -> None:
    angles = np.array([[0, 0, 0], [1e-6, 0, 0], [5e-5, 5e-5, 0], [1e-3, 0, 2e-3], [0, 3.1, 0]])
    r = rotation_matrices(angles)
    assert np.abs(r @ r.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert np.abs(torch_rotations(torch.from_numpy(angles)).numpy() - r).max() < 1e-12


def test_gradients(head: HeadModel) -> None:
    layer = HeadLayer(head, np.arange(300, head.n_vertices, 2500)).double()
    rng = np.random.default_rng(1)

    def inputs(scale: float) -> tuple[torch.Tensor, ...]:
        return tuple(torch.tensor(rng.normal(0, scale, (2, w)), requires_grad=True)
                     for w in (head.n_expr, 3, 3, 3, 6, 3, head.n_shape))

    assert torch.autograd.gradcheck(layer, inputs(0.3), eps=1e-6, atol=1e-7, fast_mode=True)
    rest = inputs(0.0)
    layer(*rest).sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in rest), "gradients exist at rest"


def test_smplx_loads_it_as_flame(head: HeadModel, tmp_path: Path) -> None:
    smplx = pytest.importorskip("smplx")
    export_flame_layout(head, tmp_path / "flame" / "FLAME_NEUTRAL.pkl")
    frames = 4
    model = smplx.create(str(tmp_path), model_type="flame", num_betas=300, num_expression_coeffs=100,
                         batch_size=frames)
    pose = random_pose(head, frames, seed=5)
    betas, expression = torch.zeros(frames, 300), torch.zeros(frames, 100)
    betas[:, : head.n_shape] = torch.from_numpy(pose["shape"])
    expression[:, : head.n_expr] = torch.from_numpy(pose["expr"])
    t = {k: torch.from_numpy(v) for k, v in pose.items()}
    out = model(betas=betas, expression=expression, global_orient=t["rotation"], neck_pose=t["neck_pose"],
                jaw_pose=t["jaw_pose"], leye_pose=t["eyes_pose"][:, :3], reye_pose=t["eyes_pose"][:, 3:],
                transl=t["translation"])
    assert np.abs(out.vertices.detach().numpy() - head.vertices(**pose)).max() < 1e-5


# -- quality of the shapes ---------------------------------------------------------------------


def test_full_blink_closes_the_lids(head: HeadModel) -> None:
    rest = head.landmark_positions()[0]
    shut = head.landmark_positions(expr(head, eyeBlinkLeft=1, eyeBlinkRight=1))[0]
    for top, bottom in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert np.linalg.norm(rest[top] - rest[bottom]) > 5e-3
        assert np.linalg.norm(shut[top] - shut[bottom]) < 0.5e-3


def test_one_eye_at_a_time(head: HeadModel) -> None:
    left = head.landmark_positions(expr(head, eyeBlinkLeft=1))[0] - head.landmark_positions()[0]
    assert np.linalg.norm(left[[43, 44]], axis=1).min() > 4e-3
    assert np.linalg.norm(left[[37, 38]], axis=1).max() < 5e-4


@pytest.mark.parametrize("blink", [0.0, 0.5, 1.0])
def test_eyeballs_stay_behind_the_lids(head: HeadModel, blink: float) -> None:
    v = head.vertices(expr(head, eyeBlinkLeft=blink, eyeBlinkRight=blink))[0]
    for joint, name, marks in ((3, "eyeball_left", range(42, 48)), (4, "eyeball_right", range(36, 42))):
        centre = head.joints()[joint]
        radius = np.linalg.norm(v[head.masks[name]] - centre, axis=1)
        assert np.ptp(radius) < 1e-4, "a ball about its joint"
        edge = np.linalg.norm(head.landmarks(v[None])[0, list(marks)] - centre, axis=1)
        assert edge.min() > radius.max()


def test_eyes_turn_about_their_centres(head: HeadModel) -> None:
    left_gaze = head.vertices(eyes_pose=np.array([[0, 0.4, 0, 0, 0.4, 0]], np.float32))[0]
    for joint, name in ((3, "eyeball_left"), (4, "eyeball_right")):
        ball = left_gaze[head.masks[name]]
        assert np.ptp(np.linalg.norm(ball - head.joints()[joint], axis=1)) < 1e-4
    pupil = mark(head, "pupil_left", eyes_pose=np.array([0, 0.4, 0, 0, 0.4, 0]))
    assert pupil[0] > mark(head, "pupil_left")[0] + 4e-3, "+y looks to the subject's left"
    down = np.array([0.3, 0, 0, 0.3, 0, 0])
    assert mark(head, "ibug_43", eyes_pose=down)[1] < mark(head, "ibug_43")[1] - 1e-3, "lids follow the gaze"


def test_jaw_joint_opens_the_mouth(head: HeadModel) -> None:
    angle = head.meta["arkit_angles"]["jawOpen"]
    rest, opened = head.landmark_positions()[0], head.landmark_positions(jaw_pose=np.array([[angle, 0, 0]]))[0]
    i = head.landmark_index
    assert opened[62, 1] - opened[66, 1] > 0.03, "about 35 mm between the lips"
    assert np.abs(opened[i("upper_teeth")] - rest[i("upper_teeth")]).max() < 1e-6
    assert rest[i("lower_teeth"), 1] - opened[i("lower_teeth"), 1] > 0.02
    assert rest[i("tongue_tip"), 1] - opened[i("tongue_tip"), 1] > 0.015
    left = head.landmark_positions(jaw_pose=np.array([[0, 0.09, 0]]))[0]
    assert left[8, 0] - rest[8, 0] > 3e-3, "+y moves the chin to the subject's left"


def test_reported_fit_of_the_jaw(head: HeadModel) -> None:
    report = head.meta["report"]
    for name in ("jaw_open_error_mm", "jaw_half_open_error_mm", "jaw_left_error_mm", "jaw_right_error_mm"):
        assert 0 <= report[name] < 1.0, name
    assert report["lid_closing_mm_left"] < 0.5 and report["lid_closing_mm_right"] < 0.5


def test_directions_of_the_shapes(head: HeadModel) -> None:
    rest = head.landmark_positions()[0]

    def moved(**c: float) -> np.ndarray:
        return head.landmark_positions(expr(head, **c))[0] - rest

    assert moved(mouthSmileLeft=1)[54, 1] > 4e-3 > abs(moved(mouthSmileLeft=1)[48, 1]) * 4
    assert moved(mouthFrownRight=1)[48, 1] < -3e-3
    assert moved(browInnerUp=1)[[21, 22], 1].min() > 2e-3
    assert moved(browDownLeft=1)[22, 1] < -1e-3
    assert moved(tongueOut=1)[head.landmark_index("tongue_tip"), 2] > 0.015
    assert moved(cheekPuff=1)[head.landmark_index("cheek_left"), 2] > 1e-3


def test_identity_leaves_symmetric_faces_symmetric(head: HeadModel) -> None:
    shape = np.random.default_rng(2).normal(0, 1, head.n_shape).astype(np.float32)
    p = head.landmark_positions(shape=shape)[0]
    assert np.abs(p[36:42] - p[[45, 44, 43, 42, 47, 46]] * [-1, 1, 1]).max() < 2e-4
    spread = np.sqrt((head.shapedirs[:, :, : head.n_shape] ** 2).sum((0, 1)))
    assert (np.diff(spread) <= 1e-4 * spread[0]).all(), "components in order of variance"


# -- files -------------------------------------------------------------------------------------


def test_save_and_load_give_the_same_head(head: HeadModel, tmp_path: Path) -> None:
    head.save(tmp_path / "h.npz")
    again = HeadModel.load(tmp_path / "h.npz")
    assert again.sha256 == head.sha256 and again.ref == head.ref and again.meta == head.meta
    assert np.array_equal(again.shapedirs, head.shapedirs)
    head.save(tmp_path / "small.npz", step=1e-5)
    small = HeadModel.load(tmp_path / "small.npz")
    assert np.abs(small.shapedirs - head.shapedirs).max() <= 0.51e-5 and small.sha256 != head.sha256


def test_hash_depends_on_content(head: HeadModel) -> None:
    v = head.v_template.copy()
    v[0, 0] += 1e-3
    assert replace(head, v_template=v).sha256 != head.sha256
    assert replace(head, meta={}).sha256 == head.sha256


@pytest.mark.parametrize(("change", "words"), [
    ({"faces": np.full((4, 3), 10**6)}, "faces holds"),
    ({"weights": np.zeros((3, 5))}, "weights has shape"),
    ({"lmk_faces": np.array([-1] * 78)}, "lmk_faces holds"),
    ({"expr_names": ("a", "b")}, "expression names"),
    ({"masks": {"lips": np.array([10**6])}}, "mask lips"),
    ({"n_shape": 1000}, "n_shape"),
    ({"part_names": ("skin",)}, "part holds"),
])
def test_constructor_refuses_arrays_that_do_not_fit(head: HeadModel, change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(head, **change)


def test_nan_is_refused(head: HeadModel) -> None:
    v = head.v_template.copy()
    v[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        replace(head, v_template=v)


def _rewrite(target: Path, **arrays: np.ndarray | None) -> Path:
    with np.load(ASSET) as data:
        content = {k: data[k] for k in data.files}
    for name, array in arrays.items():
        content.pop(name, None)
        if array is not None:
            content[name] = array
    np.savez(target, **content)
    return target


def test_bad_files_are_refused_with_a_sentence(tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    with pytest.raises(FileNotFoundError, match="no such head file"):
        HeadModel.load(bad)
    for junk in (b"", b"PK\x03\x04 truncated", ASSET.read_bytes()[:200_000], pickle.dumps({"v_template": 1})):
        bad.write_bytes(junk)
        with pytest.raises(ValueError, match="bad.npz"):
            HeadModel.load(bad)
    with pytest.raises(ValueError, match="missing weights"):
        HeadModel.load(_rewrite(bad, weights=None))
    with pytest.raises(ValueError, match="inconsistent"):
        HeadModel.load(_rewrite(bad, shapedirs_index=np.full(10, 9, np.uint16)))
    with pytest.raises(ValueError, match="format"):
        HeadModel.load(_rewrite(bad, format=np.array("other-2")))


class _Trap:
    fired = False

    def __reduce__(self) -> tuple:
        return (setattr, (_Trap, "fired", True))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    trap = np.empty(1, object)
    trap[0] = _Trap()
    with pytest.raises(ValueError, match="bad.npz"):
        HeadModel.load(_rewrite(bad, name=trap))
    assert not _Trap.fired


def test_absurd_size_is_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 1 << 24)
    bad = tmp_path / "bad.npz"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as box, box.open("v_template.npy", "w") as handle:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False,
                                                      "shape": (1 << 27, 3)})
        handle.write(header.getvalue())
        for _ in range(3):
            handle.write(bytes(1 << 23))
    with pytest.raises(ValueError, match="at most"):
        HeadModel.load(bad)


def test_wrong_arguments_are_refused(head: HeadModel) -> None:
    with pytest.raises(ValueError, match=r"jaw_pose has shape"):
        head.vertices(jaw_pose=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="frames"):
        head.vertices(expr=np.zeros((3, 41)), jaw_pose=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no landmark 'nose'"):
        head.landmark_index("nose")
    with pytest.raises(ValueError, match="vertex indices"):
        head.subset([head.n_vertices])
    with pytest.raises(ValueError, match="expr has shape"):
        HeadLayer(head)(expr=torch.zeros(2, 7))


def test_export_refuses_too_many_columns(head: HeadModel, tmp_path: Path) -> None:
    wide = replace(head, shapedirs=np.zeros((head.n_vertices, 3, 341), np.float32), n_shape=301,
                   expr_names=head.expr_names[:40])
    with pytest.raises(ValueError, match="FLAME's layout holds"):
        export_flame_layout(wide, tmp_path / "x.pkl")
