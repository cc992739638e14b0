"""FLAME-shaped files, made here, become heads; what does not fit is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.flame import EYELIDS, describe_import, import_head
from facelm.face.io.heads.flame_landmarks import contour
from flame_files import PARENT_TABLE, export_flame_layout
from inputs import command

DATA = Path(os.environ.get("FACELM_TEST_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")


def flame_shaped(rng: np.random.Generator, n: int = 60) -> dict[str, Any]:
    """A small model with FLAME's keys, axes and column counts; the numbers are random."""
    v = rng.normal(0, 0.05, (n, 3))
    v[:5] = [[0, -0.12, -0.03], [0, -0.1, -0.03], [0, -0.04, 0], [0.03, 0.02, 0.05], [-0.03, 0.02, 0.05]]
    weights = rng.dirichlet(np.ones(5), n)
    regressor = sp.csc_matrix((np.ones(5), (np.arange(5), np.arange(5))), shape=(5, n))
    return {"v_template": v, "f": rng.integers(0, n, (90, 3)).astype(np.uint32), "shapedirs": rng.normal(0, 1e-3, (n, 3, 400)),
            "posedirs": rng.normal(0, 1e-4, (n, 3, 36)), "J_regressor": regressor, "weights": weights, "J": v[:5],
            "kintree_table": PARENT_TABLE, "bs_style": "lbs", "bs_type": "lrotmin"}


def as_chumpy(monkeypatch: pytest.MonkeyPatch, model: dict[str, Any], protocol: int = 2) -> bytes:
    """The bytes of a file with chumpy arrays, as FLAME's; the class exists only while it is written."""
    module = types.ModuleType("chumpy.ch")
    cls = type("Ch", (), {"__module__": "chumpy.ch"})
    module.Ch = cls  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
        patch.setitem(sys.modules, "chumpy.ch", module)
        out = dict(model)
        for name in ("shapedirs", "v_template"):
            out[name] = cls()
            out[name].__dict__.update(x=model[name], _dirty_vars=set())
        data = pickle.dumps(out, protocol=protocol)
    assert "chumpy" not in sys.modules
    return data


@pytest.fixture()
def model() -> dict[str, Any]:
    return flame_shaped(np.random.default_rng(0))


def write(path: Path, model: dict[str, Any]) -> Path:
    path.write_bytes(pickle.dumps(model, protocol=2))
    return path


def test_the_default_head_survives_the_round_trip(head: HeadModel, tmp_path: Path) -> None:
    files = export_flame_layout(head, tmp_path / "FLAME_NEUTRAL.pkl")
    got = import_head(files.model, files.landmarks)
    rng = np.random.default_rng(1)
    expr, shape = rng.uniform(0, 1, (3, head.n_expr)), rng.normal(0, 1, head.n_shape)
    pose = {k: rng.normal(0, 0.2, (3, w)) for k, w in (("rotation", 3), ("neck_pose", 3), ("jaw_pose", 3), ("eyes_pose", 6))}
    wide, long = np.zeros((3, 100)), np.zeros(300)
    wide[:, : head.n_expr], long[: head.n_shape] = expr, shape
    apart = head.vertices(expr, shape=shape, **pose) - got.vertices(wide, shape=long, **pose)
    assert np.abs(apart).max() < 1e-7
    order = [head.landmark_index(n) for n in got.lmk_names]
    rest = head.landmarks(head.v_template[None])[0][order]
    # 17 of them are not in the file and were carried over
    assert np.abs(got.landmarks(got.v_template[None])[0] - rest).max() < 1e-4
    got.save(tmp_path / "head.npz")
    assert HeadModel.load(tmp_path / "head.npz").ref == got.ref
    assert len(got.meta["source_sha256"]) == 64 and got.edition == "FLAME layout"


@pytest.mark.parametrize("protocol", range(6))
def test_chumpy_and_sparse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: dict[str, Any], protocol: int) -> None:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(as_chumpy(monkeypatch, model, protocol))
    got = import_head(path)
    assert np.allclose(got.v_template, model["v_template"], atol=1e-7) and got.n_shape == 300 and got.n_expr == 100
    assert np.allclose(got.shapedirs, model["shapedirs"], atol=1e-7)
    assert np.allclose(got.joints(), model["v_template"][:5], atol=1e-6)
    assert got.expr_names[0] == "expr_000" and got.lmk_names == ()
    assert any("no landmarks" in line and "--landmarks" in line for line in describe_import(got))
    assert "chumpy" not in sys.modules


def test_an_npz_with_the_same_keys(tmp_path: Path, model: dict[str, Any]) -> None:
    np.savez(tmp_path / "m.npz", **{k: v.toarray() if sp.issparse(v) else v for k, v in model.items()})
    write(tmp_path / "m.pkl", model)
    assert import_head(tmp_path / "m.npz").sha256 == import_head(tmp_path / "m.pkl").sha256


@pytest.mark.parametrize(("name", "edition"), [
    ("flame2023_Open.pkl", "FLAME 2023 Open"), ("flame2023.pkl", "FLAME 2023"), ("FLAME2020/generic_model.pkl", "FLAME 2020"),
    ("other/generic_model.pkl", "FLAME, unknown edition")])
def test_editions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: dict[str, Any], name: str, edition: str) -> None:
    monkeypatch.setattr("facelm.face.io.heads.flame.FLAME_VERTICES", 60)
    monkeypatch.setattr("facelm.face.io.heads.flame.FLAME_FACES", 90)
    path = tmp_path / "x" / name
    path.parent.mkdir(parents=True)
    got = import_head(write(path, model))
    assert (got.name, got.edition) == ("flame", edition)
    assert import_head(path, edition="mine").edition == "mine"
    assert ("CC-BY-4.0" in got.meta["license"]) == (edition == "FLAME 2023 Open")


def test_landmark_files(tmp_path: Path, model: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    path = write(tmp_path / "m.pkl", model)
    bary = rng.dirichlet(np.ones(3), 68)
    index = rng.integers(0, 90, 68)
    full = {"full_lmk_faces_idx": index[None], "full_lmk_bary_coords": bary[None],
            "dynamic_lmk_faces_idx": torch.zeros(79, 17, dtype=torch.long), "dynamic_lmk_bary_coords": torch.ones(79, 17, 3)}
    np.save(tmp_path / "landmark_embedding.npy", np.array(full, dtype=object), allow_pickle=True)
    got = import_head(path, tmp_path / "landmark_embedding.npy")
    assert got.lmk_names == tuple(f"ibug_{k:02d}" for k in range(68))
    assert np.array_equal(got.lmk_faces, index) and np.allclose(got.lmk_bary, bary, atol=1e-6)
    bad = tmp_path / "bad.pkl"
    for content, word in (({"lmk_face_idx": index[:51] + 1000, "lmk_b_coords": bary[:51]}, "another mesh"),
                          ({"lmk_face_idx": index[:51], "lmk_b_coords": bary[:50]}, "3 L"), ({"x": 1}, "no landmark embedding"),
                          ({"lmk_face_idx": index[:40], "lmk_b_coords": bary[:40]}, "51"), ([1], "list"),
                          ({"lmk_face_idx": index[:51], "lmk_b_coords": bary[:51] * 2}, "sum to 1"),
                          ({"lmk_face_idx": index, "lmk_b_coords": bary, "landmark_indices": index}, "MediaPipe"),
                          ({"full_lmk_faces_idx": index[:60], "full_lmk_bary_coords": bary[:60]}, "60 points")):
        bad.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=word):
            import_head(path, bad)


def test_the_contour_on_another_head(head: HeadModel) -> None:
    """From the inner landmarks of random identities of the default head, against where its own contour goes."""
    rng = np.random.default_rng(3)
    order = [head.landmark_index(f"ibug_{k:02d}") for k in range(68)]
    worst = []
    for _ in range(3):
        v = head.vertices(shape=rng.normal(0, 0.7, head.n_shape).astype(np.float32))[0]
        marks = head.landmarks(v[None])[0][order]
        index, bary = contour(marks[17:].astype(np.float64), v, np.asarray(head.faces))
        found = np.einsum("lkc,lk->lc", v[head.faces[index]], bary)
        worst.append(np.linalg.norm(found - marks[:17], axis=1))
    assert np.mean(worst) < 6e-3 and np.max(worst) < 20e-3


def test_masks_and_eyelids(tmp_path: Path, model: dict[str, Any]) -> None:
    path = write(tmp_path / "m.pkl", model)
    masks = {"lips": np.array([10, 11]), "left_eyeball": np.array([3]), "right_eyeball": np.array([4]), "nose": [1, 2]}
    (tmp_path / "FLAME_masks.pkl").write_bytes(pickle.dumps(masks))
    lids = np.random.default_rng(4).normal(0, 1e-3, (2, 60, 3)).astype(np.float32)
    for side, lid in zip("lr", lids, strict=True):
        np.save(tmp_path / f"{side}_eyelid.npy", lid)
    got = import_head(path, masks=tmp_path / "FLAME_masks.pkl", eyelids=(tmp_path / "l_eyelid.npy", tmp_path / "r_eyelid.npy"))
    assert set(got.masks) == {"lips", "nose", "eyeball_left", "eyeball_right"} and got.part[10] == 1 and got.part[3] == 2
    assert got.expr_names[-2:] == EYELIDS and got.n_expr == 102 and np.allclose(got.shapedirs[:, :, 401], lids[1])
    (tmp_path / "FLAME_masks.pkl").write_bytes(pickle.dumps({"lips": np.array([60])}))
    with pytest.raises(ValueError, match="vertex 60"):
        import_head(path, masks=tmp_path / "FLAME_masks.pkl")
    with pytest.raises(ValueError, match="eyelid"):
        import_head(path, eyelids=(path, path))


@pytest.mark.parametrize(("change", "word"), [
    ({"shapedirs": np.zeros((60, 3, 10))}, "400"), ({"v_template": np.zeros((60, 2))}, "v_template"), ({"f": None}, "f holds no"),
    ({"posedirs": np.zeros((60, 3, 9))}, "posedirs"), ({"weights": np.zeros((60, 5))}, "sums to"),
    ({"weights": np.full((60, 24), 1 / 24)}, "weights has shape"), ({"kintree_table": np.zeros((2, 24))}, "kintree_table"),
    ({"kintree_table": np.array([[4294967295, 0, 0, 1, 1], [0, 1, 2, 3, 4]], np.uint32)}, "hang on"),
    ({"v_template": np.full((60, 3), np.nan)}, "finite"), ({"f": np.full((4, 3), 60)}, "0..59"), ({"v_template": "text"}, "str")])
def test_what_does_not_fit(tmp_path: Path, model: dict[str, Any], change: dict[str, Any], word: str) -> None:
    path = write(tmp_path / "m.pkl", model | change)
    with pytest.raises(ValueError, match=word) as caught:
        import_head(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_axes_units_and_keys(tmp_path: Path, model: dict[str, Any]) -> None:
    for change, word in (({"v_template": model["v_template"] * 100}, "metres"),
                         ({"v_template": model["v_template"] * [-1, 1, 1]}, "left one at")):
        with pytest.raises(ValueError, match=word):
            import_head(write(tmp_path / "m.pkl", model | change))
    del model["shapedirs"]
    with pytest.raises(ValueError, match="shapedirs missing"):
        import_head(write(tmp_path / "m.pkl", model))
    with pytest.raises(ValueError, match="not a FLAME model"):
        import_head(write(tmp_path / "m.pkl", {"a": 1}))
    with pytest.raises(FileNotFoundError):
        import_head(tmp_path / "none.pkl")


def test_a_hostile_model_is_not_run(tmp_path: Path, model: dict[str, Any]) -> None:
    class Run:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    with pytest.raises(ValueError, match="system"):
        import_head(write(tmp_path / "m.pkl", model | {"extra": Run()}))
    assert not (tmp_path / "ran").exists()


# -- commands -----------------------------------------------------------------------------
def test_commands(tmp_path: Path, model: dict[str, Any], head: HeadModel, capsys: pytest.CaptureFixture[str],
                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "m.pkl", model)
    assert command("head", "import", "m.pkl", "-o", "h.npz") == 0
    assert "no landmarks" in capsys.readouterr().out
    assert command("head", "import", "m.pkl", "-o", "h.npz", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["expressions"] == 100 and facts["sha256"] == HeadModel.load("h.npz").sha256
    assert command("head", "show", "h.npz") == 0 and command("head", "show") == 0
    assert "eyeBlinkLeft" in capsys.readouterr().out
    (tmp_path / "note.npz").write_bytes(b"no head")
    assert command("head", "list", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["path"] for r in rows] == ["(packaged)", "h.npz"]
    assert command("head", "import", "h.npz", "-o", "same.npz") == 0
    assert HeadModel.load("same.npz").ref == HeadModel.load("h.npz").ref
    with pytest.raises(ValueError, match="over its own input"):
        command("head", "import", "h.npz", "-o", "h.npz")
    with pytest.raises(ValueError, match="facelm head"):
        command("head", "import", "h.npz", "-o", "x.npz", "--edition", "mine")


def test_showing_a_picture(tmp_path: Path) -> None:
    assert command("head", "show", "--png", tmp_path / "head.png") == 0
    assert (tmp_path / "head.png").stat().st_size > 1000


@pytest.mark.skipif(not (DATA / "heads" / "ict_facekit_light.npz").is_file(), reason="no ICT-FaceKit file")
@pytest.mark.slow
def test_ict_is_recognised(tmp_path: Path) -> None:
    got = import_head(DATA / "heads" / "ict_facekit_light.npz")
    assert "eyeBlinkLeft" in got.expr_names and len(got.lmk_names) >= 68
