"""Other people's readers of our files: annotations, meshes, joints, avatar animations."""

from __future__ import annotations

import csv
import json
import os
import subprocess

import numpy as np
import players
import pytest
from facelm.face.clip.channels import JOINTS
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.head.lbs import world_transforms
from facelm.face.head.model import HeadModel
from facelm.face.io.export import export
from facelm.face.io.export.actions import events
from scipy.spatial.transform import Rotation

HEAD = HeadModel.default()


def turned(**pose: list[float]) -> FaceSequence:
    """Two frames: at rest, and in a pose."""
    seq = FaceSequence.rest(2, HEAD.ref, n_expr=HEAD.n_expr)
    return seq.replace(**{k: np.array([np.zeros(len(v)), v], "f4") for k, v in pose.items()})


# -- annotations --------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 3, 7])
def test_elan_and_praat_hold_what_was_measured(number, clips, tmp_path):
    elan, tgt = pytest.importorskip("pympi").Elan, pytest.importorskip("tgt")
    seq = clips[number]
    found = events(measure(seq, HEAD))
    assert found
    document = elan.Eaf(str(export(seq, HEAD, tmp_path / "a.eaf").path))
    grid = tgt.io.read_textgrid(str(export(seq, HEAD, tmp_path / "a.TextGrid").path))
    assert set(document.get_tier_names()) == set(grid.get_tier_names()) == {a.name for a in found}
    for name in document.get_tier_names():
        own = [a for a in found if a.name == name]
        rows = sorted(document.get_annotation_data_for_tier(name))
        assert [r[0] for r in rows] == [round(1000 * a.onset) for a in own]
        assert [r[1] for r in rows] == [round(1000 * max(a.offset, a.onset + 1 / seq.fps)) for a in own]
        assert [float(r[2].split()[0].rstrip("?")) for r in rows] == pytest.approx([a.intensity for a in own], abs=6e-3)
        intervals = [i for i in grid.get_tier_by_name(name) if i.text]
        assert [i.text for i in intervals] == [r[2] for r in rows]
        assert [float(i.end_time) for i in intervals] == pytest.approx([r[1] / 1000 for r in rows], abs=1e-3)
    with open(export(seq, HEAD, tmp_path / "a.csv", target="actions", format="events").path) as file:
        assert [(r["name"], float(r["start"])) for r in csv.DictReader(file)] == [(a.name, round(a.onset, 3)) for a in found]


def test_a_still_face_has_no_tiers(tmp_path):
    tgt = pytest.importorskip("tgt")
    seq = FaceSequence.rest(25, HEAD.ref, n_expr=HEAD.n_expr)
    assert tgt.io.read_textgrid(str(export(seq, HEAD, tmp_path / "a.TextGrid").path)).get_tier_names() == []


# -- OpenFace -----------------------------------------------------------------------------
@pytest.mark.parametrize(("pose", "column", "value"), [
    # OpenFace's camera looks at the face: x to the picture's right (the subject's left), y down, z away
    ({"rotation": [0.2, 0, 0]}, "pose_Rx", 0.2), ({"rotation": [0, 0.3, 0]}, "pose_Ry", -0.3),
    ({"neck_pose": [0, 0, 0.1]}, "pose_Rz", -0.1), ({"translation": [0.1, 0.02, -0.5]}, "pose_Tz", 500),
    ({"eyes_pose": [0, 0.3, 0, 0, 0.3, 0]}, "gaze_angle_x", 0.3), ({"eyes_pose": [0.2, 0, 0, 0.2, 0, 0]}, "gaze_angle_y", 0.2)])
def test_openface_angles(pose, column, value, tmp_path):
    with open(export(turned(**pose), HEAD, tmp_path / "a.csv", format="openface").path) as file:
        rest, row = csv.DictReader(file)
    assert float(row[column]) == pytest.approx(value, abs=1e-3) and float(rest[column]) == pytest.approx(0, abs=1e-3)
    assert (row["frame"], row["timestamp"], row["success"]) == ("2", "0.0400", "1")


@pytest.mark.parametrize(("shapes", "unit"), [
    (("mouthSmileLeft", "mouthSmileRight"), "AU12"), (("browInnerUp",), "AU01"), (("browDownLeft", "browDownRight"), "AU04"),
    (("eyeBlinkLeft", "eyeBlinkRight"), "AU45"), (("noseSneerLeft", "noseSneerRight"), "AU09")])
def test_openface_units(shapes, unit, tmp_path):
    row = np.zeros(HEAD.n_expr)
    row[[HEAD.expr_names.index(s) for s in shapes]] = 1
    with open(export(turned(expr=row), HEAD, tmp_path / "a.csv", format="openface").path) as file:
        rest, row = csv.DictReader(file)
    assert float(row[f"{unit}_r"]) > 3.5 and row[f"{unit}_c"] == "1" and (float(rest[f"{unit}_r"]), rest[f"{unit}_c"]) == (0, "0")
    assert max((float(v), k) for k, v in row.items() if k.endswith("_r"))[1] == f"{unit}_r"


# -- meshes and joints --------------------------------------------------------------------
def test_obj_files_hold_every_vertex(random_clip, tmp_path):
    trimesh = pytest.importorskip("trimesh")
    folder = export(random_clip, HEAD, tmp_path / "frames").path
    assert len(list(folder.iterdir())) == len(random_clip)
    for k in np.linspace(0, len(random_clip) - 1, 10).round().astype(int):
        mesh = trimesh.load(folder / f"frame_{k:05d}.obj", process=False, maintain_order=True)
        assert np.abs(mesh.vertices - HEAD.vertices(**random_clip.parameters([k]))[0]).max() < 1e-6
        assert (mesh.faces == HEAD.faces).all()


def test_bvh_joints_are_where_ours_are(random_clip, tmp_path):
    bvh = pytest.importorskip("bvh")
    tree = bvh.Bvh(export(random_clip, HEAD, tmp_path / "a.bvh").path.read_text())
    assert tree.get_joints_names() == list(JOINTS) and tree.frame_time == pytest.approx(1 / random_clip.fps)
    assert tree.nframes == len(random_clip)
    pose = np.concatenate([random_clip.rotation, random_clip.neck_pose, random_clip.jaw_pose, random_clip.eyes_pose], 1)
    joints = HEAD.joints(random_clip.shape).astype(float)
    for k in (0, 7, 29):
        rot = Rotation.from_rotvec(pose[k].reshape(5, 3)).as_matrix()
        turn, off = world_transforms(rot[None], joints[None])
        for j, name in enumerate(JOINTS):
            place, spin = np.zeros(3), np.eye(3)
            for part in [name, *(p.name for p in _parents(tree, name))][::-1]:
                here = np.array(tree.joint_offset(part)) if tree.joint_parent_index(part) >= 0 else np.array(
                    tree.frame_joint_channels(k, part, ["Xposition", "Yposition", "Zposition"]))
                place = place + spin @ here
                angles = tree.frame_joint_channels(k, part, ["Zrotation", "Xrotation", "Yrotation"])
                spin = spin @ Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
            wanted = turn[0, j] @ joints[j] + off[0, j] + random_clip.translation[k]
            assert np.abs(place / 100 - wanted).max() < 1e-6 and np.abs(spin - turn[0, j]).max() < 1e-6, name


def _parents(tree, name):
    out, here = [], tree.joint_parent(name)
    while here is not None and here.name in JOINTS:
        out.append(here)
        here = tree.joint_parent(here.name)
    return out


# -- VRM ----------------------------------------------------------------------------------
VRM = """
globalThis.self = globalThis;
const { readFileSync } = require("fs");
const { pathToFileURL } = require("url");
(async () => {
  const { GLTFLoader } = await import(pathToFileURL(require.resolve("three/examples/jsm/loaders/GLTFLoader.js")).href);
  const { VRMAnimationLoaderPlugin } = require("@pixiv/three-vrm-animation");
  const loader = new GLTFLoader();
  loader.register((p) => new VRMAnimationLoaderPlugin(p));
  const b = readFileSync(process.argv[1]);
  const gltf = await loader.parseAsync(b.buffer.slice(b.byteOffset, b.byteOffset + b.length), "");
  const one = gltf.userData.vrmAnimations[0];
  const out = (m) => Object.fromEntries([...m].map(([k, t]) => [k, [...t.values]]));
  console.log(JSON.stringify({ duration: one.duration, preset: out(one.expressionTracks.preset),
    custom: out(one.expressionTracks.custom), head: out(one.humanoidTracks.rotation).head }));
})().catch((e) => { console.error(e); process.exit(1); });
"""


@pytest.mark.parametrize("target", ["vrm", "arkit52"])
def test_vrm_animations_are_read_by_pixiv(target, clips, tmp_path):
    program = players.node("three", "@pixiv/three-vrm-animation", "gltf-validator")
    seq = clips[0]
    path = export(seq, HEAD, tmp_path / "a.vrma", target=target).path
    env = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, players.NODE_MODULES))}
    done = subprocess.run([program, "-e", VRM, str(path)], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-1500:]
    found = json.loads(done.stdout.splitlines()[-1])
    rows = json.loads(export(seq, HEAD, tmp_path / "a.json", target=target, clamp=True).path.read_text())["frames"]
    tracks = found["preset"] if target == "vrm" else found["custom"]
    assert found["duration"] == pytest.approx((len(seq) - 1) / seq.fps) and set(tracks) <= set(rows[0]["blendshapes"])
    assert len(tracks) == (15 if target == "vrm" else 52)
    for name, values in tracks.items():
        assert values == pytest.approx([r["blendshapes"][name] for r in rows], abs=1e-5), name
    assert len(found["head"]) == 4 * len(seq)
    issues = players.validated(path)
    assert issues["numErrors"] == 0 and issues["numWarnings"] == 0, issues["messages"]
