"""GLB export: what a viewer plays equals the head model."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.head.model import HeadModel
from facelm.face.io.gltf import write_glb
from scipy.spatial.transform import Rotation

DTYPES = {5126: "<f4", 5123: "<u2", 5125: "<u4", 5121: "u1"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Player:
    """A minimal glTF 2.0 player written from the specification, for one skinned, morphed mesh."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        magic, version, total = struct.unpack_from("<4sII", raw)
        assert (magic, version, total) == (b"glTF", 2, len(raw))
        size, kind = struct.unpack_from("<I4s", raw, 12)
        assert kind == b"JSON" and size % 4 == 0
        self.doc = json.loads(raw[20:20 + size])
        n, kind = struct.unpack_from("<I4s", raw, 20 + size)
        assert kind == b"BIN\0" and n % 4 == 0
        self.bin = raw[28 + size:28 + size + n]

    def _raw(self, view: int, kind: int, count: int, width: int) -> np.ndarray:
        v = self.doc["bufferViews"][view]
        dtype = np.dtype(DTYPES[kind])
        assert count * width * dtype.itemsize <= v["byteLength"]
        return np.frombuffer(self.bin, dtype, count * width, v["byteOffset"]).reshape(count, width)

    def get(self, index: int) -> np.ndarray:
        a = self.doc["accessors"][index]
        width = WIDTHS[a["type"]]
        out = np.zeros((a["count"], width))
        if "bufferView" in a:
            out = self._raw(a["bufferView"], a["componentType"], a["count"], width).astype(float)
        if "sparse" in a:
            s = a["sparse"]
            rows = self._raw(s["indices"]["bufferView"], s["indices"]["componentType"], s["count"], 1)[:, 0]
            assert (np.diff(rows.astype(int)) > 0).all()
            out[rows] = self._raw(s["values"]["bufferView"], a["componentType"], s["count"], width)
        if "min" in a:
            assert np.allclose(out.min(0), a["min"], atol=1e-6) and np.allclose(out.max(0), a["max"], atol=1e-6)
        return out

    def _track(self, node: int, path: str, time: float, rest: np.ndarray) -> np.ndarray:
        for animation in self.doc.get("animations", []):
            for channel in animation["channels"]:
                if channel["target"] == {"node": node, "path": path}:
                    sampler = animation["samplers"][channel["sampler"]]
                    times = self.get(sampler["input"])[:, 0]
                    values = self.get(sampler["output"]).reshape(len(times), -1)
                    return np.array([np.interp(time, times, values[:, k]) for k in range(values.shape[1])])
        return np.asarray(rest, float)

    def play(self, time: float) -> np.ndarray:
        """All primitives' vertices at a key frame's time, sorted as rows are met in the file."""
        doc = self.doc
        holder = next(i for i, node in enumerate(doc["nodes"]) if "mesh" in node)
        mesh = doc["meshes"][doc["nodes"][holder]["mesh"]]
        skin = doc["skins"][doc["nodes"][holder]["skin"]]
        world: dict[int, np.ndarray] = {}

        def walk(node: int, parent: np.ndarray) -> None:
            n = doc["nodes"][node]
            local = np.eye(4)
            q = self._track(node, "rotation", time, n.get("rotation", [0, 0, 0, 1]))
            local[:3, :3] = Rotation.from_quat(q).as_matrix()
            local[:3, 3] = self._track(node, "translation", time, n.get("translation", [0, 0, 0]))
            world[node] = parent @ local
            for kid in n.get("children", []):
                walk(kid, world[node])

        for root in doc["scenes"][0]["nodes"]:
            walk(root, np.eye(4))
        inverse = self.get(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        joints = np.stack([world[j] @ m for j, m in zip(skin["joints"], inverse, strict=True)])
        weights = self._track(holder, "weights", time, mesh.get("weights", []))
        out = []
        for primitive in mesh["primitives"]:
            v = self.get(primitive["attributes"]["POSITION"])
            for w, target in zip(weights, primitive.get("targets", []), strict=True):
                v = v + w * self.get(target["POSITION"])
            index = self.get(primitive["attributes"]["JOINTS_0"]).astype(int)
            share = self.get(primitive["attributes"]["WEIGHTS_0"])
            assert np.allclose(share.sum(1), 1, atol=1e-5)
            matrix = (joints[index] * share[..., None, None]).sum(1)
            out.append(np.einsum("vab,vb->va", matrix[:, :3, :3], v) + matrix[:, :3, 3])
            assert self.get(primitive["indices"]).max() < len(v)
        return np.concatenate(out)


def gap(played: np.ndarray, wanted: np.ndarray, rest: np.ndarray, rest_played: np.ndarray) -> float:
    """Largest distance between played vertices and the head's, matched by their rest position."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(rest).query(rest_played)
    assert distance.max() < 1e-5
    return float(np.linalg.norm(played - wanted[index], axis=1).max())


def toy_head(seed: int = 0, n: int = 60) -> HeadModel:
    """Random arrays in the head layout: pose correctives and joints that follow the expression."""
    rng = np.random.default_rng(seed)
    weights = rng.random((n, 5)) * (rng.random((n, 5)) < 0.5) + 0.01
    weights[np.arange(n), rng.integers(0, 5, n)] = 0.0  # four joints a vertex, what glTF holds
    regressor = rng.random((5, n))
    return HeadModel(
        name="toy", edition="test", v_template=rng.normal(size=(n, 3)) * 0.1,
        faces=np.stack([np.arange(n), (np.arange(n) + 1) % n, (np.arange(n) + 2) % n], 1).astype(np.int32),
        shapedirs=rng.normal(size=(n, 3, 9)) * 0.01, posedirs=rng.normal(size=(n, 3, 36)) * 0.003,
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True), n_shape=3,
        expr_names=tuple("abcdef"), lmk_names=(), lmk_faces=np.zeros(0, np.int32),
        lmk_bary=np.zeros((0, 3), np.float32))


def wild_clip(head: HeadModel, frames: int = 12, seed: int = 0, scale: float = 1.0) -> FaceSequence:
    rng = np.random.default_rng(seed)

    def noise(width: int, size: float) -> np.ndarray:
        return (rng.normal(size=(frames, width)) * size * scale).astype(np.float32)

    expr = np.clip(noise(head.n_expr, 0.5), 0, 1) if scale else noise(head.n_expr, 0)
    return FaceSequence(
        expr=expr, rotation=noise(3, 0.3), neck_pose=noise(3, 0.3), jaw_pose=np.abs(noise(3, 0.15)),
        eyes_pose=noise(6, 0.2), translation=noise(3, 0.05),
        shape=rng.normal(size=head.n_shape).astype(np.float32) * 0.5,
        valid=np.ones(frames, bool), head=head.ref, fps=25.0)


def worst_gap(seq: FaceSequence, head: HeadModel, path: Path) -> float:
    player = Player(write_glb(seq, head, path))
    rest = head.vertices(shape=seq.shape)[0]
    mesh = player.doc["meshes"][0]
    bind = np.concatenate([player.get(p["attributes"]["POSITION"]) for p in mesh["primitives"]])
    wanted = head.vertices(seq.expr, seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose,
                           seq.translation, seq.shape)
    return max(gap(player.play(t / seq.fps), wanted[t], rest, bind) for t in range(len(seq)))


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


@pytest.mark.parametrize("seed", range(4))
def test_a_viewer_plays_what_the_head_model_says_on_random_rigs(tmp_path: Path, seed: int) -> None:
    toy = toy_head(seed)
    assert worst_gap(wild_clip(toy, seed=seed), toy, tmp_path / "x.glb") < 1e-4


def test_a_viewer_plays_what_the_default_head_does(tmp_path: Path, head: HeadModel) -> None:
    seq = wild_clip(head, frames=6, seed=3)
    assert worst_gap(seq, head, tmp_path / "x.glb") < 1e-4
    assert (tmp_path / "x.glb").stat().st_size < 5e6


def test_the_player_of_this_test_can_fail(tmp_path: Path) -> None:
    toy = toy_head()
    seq = wild_clip(toy)
    write_glb(seq, toy, tmp_path / "x.glb")
    wrong = seq.replace(jaw_pose=seq.jaw_pose + np.float32(0.02))
    player = Player(tmp_path / "x.glb")
    mesh = player.doc["meshes"][0]
    bind = np.concatenate([player.get(p["attributes"]["POSITION"]) for p in mesh["primitives"]])
    wanted = toy.vertices(wrong.expr, wrong.rotation, wrong.neck_pose, wrong.jaw_pose, wrong.eyes_pose,
                          wrong.translation, wrong.shape)
    assert gap(player.play(0.0), wanted[0], toy.vertices(shape=seq.shape)[0], bind) > 1e-4


def test_the_targets_are_the_same_for_every_clip(tmp_path: Path, head: HeadModel) -> None:
    seq = FaceSequence.rest(5, head.ref, n_expr=head.n_expr)
    expr = seq.expr.copy()
    expr[2:, head.expr_names.index("mouthSmileLeft")] = 0.7
    smile = Player(write_glb(seq.replace(expr=expr), head, tmp_path / "smile.glb")).doc
    still = Player(write_glb(seq, head, tmp_path / "still.glb")).doc
    names = smile["meshes"][0]["extras"]["targetNames"]
    assert names == still["meshes"][0]["extras"]["targetNames"] and names[:41] == list(head.expr_names)
    assert names[41:] == [f"poseCorrective_{k}{twin}" for k in range(6) for twin in ("", "_minus")]
    assert [c["target"]["path"] for c in smile["animations"][0]["channels"]] == ["weights"]
    assert smile["animations"][0]["name"] == "smile" and smile["scenes"][0]["extras"] == {"fps": 25.0, "frames": 5}
    assert "animations" not in still  # nothing moves
    assert {"skin", "lips", "eyes", "teeth", "tongue"} <= {m["name"] for m in smile["materials"]}


def test_arkit_targets_are_the_52_with_their_weights(tmp_path: Path, head: HeadModel) -> None:
    seq = FaceSequence.rest(3, head.ref, n_expr=head.n_expr)
    angles = head.meta["arkit_angles"]
    jaw, eyes = seq.jaw_pose.copy(), seq.eyes_pose.copy()
    jaw[1, 0] = 0.5 * angles["jawOpen"]
    eyes[2, [1, 4]] = angles["eyeLookOutLeft"], angles["eyeLookInRight"]
    notes: list[str] = []
    player = Player(write_glb(seq.replace(jaw_pose=jaw, eyes_pose=eyes), head, tmp_path / "a.glb", target="arkit52", notes=notes))
    assert player.doc["meshes"][0]["extras"]["targetNames"] == list(ARKIT_52)
    (channel,) = player.doc["animations"][0]["channels"]  # jaw and eyes are shapes: no joint turns
    weights = player.get(player.doc["animations"][0]["samplers"][channel["sampler"]]["output"]).reshape(3, 52)
    shown = [{ARKIT_52[k]: round(float(row[k]), 4) for k in np.flatnonzero(row > 1e-6)} for row in weights]
    assert shown == [{}, {"jawOpen": 0.5}, {"eyeLookInRight": 1.0, "eyeLookOutLeft": 1.0}]
    # at full strength a shape is where the joint takes the skin; in between it is on the straight line
    bind = np.concatenate([player.get(p["attributes"]["POSITION"]) for p in player.doc["meshes"][0]["primitives"]])
    looking = head.vertices(eyes_pose=eyes)[2]
    assert gap(player.play(2 / 25), looking, head.v_template, bind) < 1e-5
    open_jaw = head.vertices(jaw_pose=2 * jaw)[1]
    assert gap(player.play(1 / 25), 0.5 * (head.v_template + open_jaw), head.v_template, bind) < 1e-5
    off = np.linalg.norm(head.vertices(jaw_pose=jaw)[1] - 0.5 * (head.v_template + open_jaw), axis=1)
    worst = 1e3 * off[head.masks["jaw"]].max()
    assert worst > 1.0 and f"(at most {worst:.2f})" in notes[0]


def test_weights_stay_within_sliders_whatever_the_clip_holds(tmp_path: Path, head: HeadModel) -> None:
    seq = wild_clip(head, 6, seed=5)
    expr = seq.expr - np.float32(0.4)
    expr[2, 3] = 2.7
    seq, notes = seq.replace(expr=expr), []
    assert expr.min() < -0.3
    assert worst_gap(seq, head, tmp_path / "x.glb") < 1e-4
    player = Player(write_glb(seq, head, tmp_path / "x.glb", notes=notes))
    names = player.doc["meshes"][0]["extras"]["targetNames"]
    animation = player.doc["animations"][0]
    sampler = next(animation["samplers"][c["sampler"]] for c in animation["channels"] if c["target"]["path"] == "weights")
    weights = player.get(sampler["output"]).reshape(6, len(names))
    assert weights.min() >= 0.0 and weights.max() <= 1.0 + 1e-6
    assert {f"{head.expr_names[3]}_more", f"{head.expr_names[3]}_minus"} <= set(names) and "_more" in notes[0]


def test_every_target_has_data(tmp_path: Path, head: HeadModel) -> None:
    for target in ("head", "arkit52"):
        doc = Player(write_glb(wild_clip(head, 3), head, tmp_path / "x.glb", target=target)).doc  # type: ignore[arg-type]
        used = {a for p in doc["meshes"][0]["primitives"] for t in p["targets"] for a in t.values()}
        assert len(used) > 50 and all({"bufferView", "sparse"} & set(doc["accessors"][a]) for a in used)


def test_public_loaders_read_it(tmp_path: Path, head: HeadModel) -> None:
    pygltflib = pytest.importorskip("pygltflib")
    trimesh = pytest.importorskip("trimesh")
    path = write_glb(wild_clip(head, 4), head, tmp_path / "x.glb", title="A smile")
    gltf = pygltflib.GLTF2().load(str(path))
    assert len(gltf.skins[0].joints) == 5 and gltf.scenes[0].name == "A smile"
    assert {c.target.path for c in gltf.animations[0].channels} == {"rotation", "translation", "weights"}
    scene = trimesh.load(path)
    assert sum(len(g.faces) for g in scene.geometry.values()) == len(head.faces)


def test_refusals_leave_nothing_behind(tmp_path: Path, head: HeadModel) -> None:
    seq = FaceSequence.rest(2, head.ref, n_expr=head.n_expr)
    with pytest.raises(ValueError, match=r"\.glb"):
        write_glb(seq, head, tmp_path / "x.fbx")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_glb(seq, head, tmp_path / "nowhere" / "x.glb")
    with pytest.raises(ValueError, match="of the head"):
        write_glb(seq.replace(head=HeadRef("other", "1", "0" * 64)), head, tmp_path / "x.glb")
    assert not list(tmp_path.iterdir())
