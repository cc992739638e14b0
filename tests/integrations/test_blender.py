"""The Blender add-on: its plain functions here, the rest in Blender without a window, and against the real server."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.export import export
from scripted_agent import needs_tokenizer, rule_agent

ADDON = Path(__file__).resolve().parents[2] / "integrations" / "blender" / "facelm_blender.py"
HEAD = HeadModel.default()
spec = importlib.util.spec_from_file_location("facelm_blender", ADDON)
assert spec is not None and spec.loader is not None
addon = importlib.util.module_from_spec(spec)
if find_spec("bpy") is None:
    spec.loader.exec_module(addon)
else:  # bpy is for processes of its own
    sys.modules["bpy"] = None  # type: ignore[assignment]
    spec.loader.exec_module(addon)
    del sys.modules["bpy"]


@pytest.fixture()
def smile() -> FaceSequence:
    """A second at 25 fps: a smile that grows to 1, a jaw that opens and shuts."""
    seq = FaceSequence.rest(26, HEAD.ref, n_expr=HEAD.n_expr)
    expr, jaw = seq.expr.copy(), seq.jaw_pose.copy()
    expr[:, HEAD.expr_names.index("mouthSmileLeft")] = np.linspace(0, 1, 26)
    jaw[:, 0] = HEAD.meta["arkit_angles"]["jawOpen"] * np.sin(np.linspace(0, np.pi, 26))
    return seq.replace(expr=expr, jaw_pose=jaw)


# -- without Blender ----------------------------------------------------------------------
@pytest.mark.parametrize("format", ["arkit-json", "names-json", "audio2face"])
def test_our_files_are_read(format, smile, tmp_path):
    path = export(smile, HEAD, tmp_path / "a.json", format=format).path
    fps, weights = addon.read_weights(path.read_text())
    assert fps == 25 and len(weights) == 52
    assert weights["mouthSmileLeft"] == pytest.approx(np.linspace(0, 1, 26), abs=1e-6)
    assert weights["jawOpen"][12:14] == pytest.approx([np.sin(np.pi * 12 / 25)] * 2, abs=1e-6)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"frames": []}', '{"frames": [{"time": 0}]}', "null",
                                  '{"names": ["jawOpen"], "metadata": {"fps": 25}, "frames": [{"time": 0, "weights": [1, 2]}]}'])
def test_other_files_are_refused_in_one_line(text):
    with pytest.raises(ValueError, match="facelm export") as caught:
        addon.read_weights(text)
    assert "\n" not in str(caught.value)


def test_names_rates_and_curves():
    keys = ["Basis", "EyeBlink_L", "eye_blink_right", "JawOpen", "mouthSmile.L", "Smile"]
    assert addon.matched(keys, ["eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "tongueOut"]) == {
        "eyeBlinkLeft": "EyeBlink_L", "eyeBlinkRight": "eye_blink_right", "jawOpen": "JawOpen", "mouthSmileLeft": "mouthSmile.L"}
    assert addon.scene_rate(25.0) == (25, 1.0) and addon.scene_rate(30000 / 1001) == (30, pytest.approx(1.001))
    assert addon.resampled([0.0, 1.0, 2.0, 3.0], 30, 60) == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3])
    assert addon.resampled(list(map(float, range(26))), 25, 24) == pytest.approx([k * 25 / 24 for k in range(25)])
    assert addon.is_local("http://localhost:1") and not addon.is_local("http://example.org")


def test_the_rate_of_a_glb(smile, tmp_path):
    assert addon.glb_rate(export(smile, HEAD, tmp_path / "a.glb").path.read_bytes()) == 25
    assert addon.glb_rate(export(smile, HEAD, tmp_path / "a.glb", fps=29.97).path.read_bytes()) == 29.97


# -- the server ---------------------------------------------------------------------------
@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    uvicorn, _ = pytest.importorskip("uvicorn"), pytest.importorskip("fastapi")
    from facelm.agent.server.app import make_app
    from facelm.agent.server.settings import Settings

    model = rule_agent({})
    app = make_app(Settings(folder=tmp_path_factory.mktemp("talks")), lambda: model)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@needs_tokenizer
def test_the_server_performs_words(served, tmp_path):
    answer, data = addon.perform(served, "She smiles, then nods twice.", "json")
    fps, weights = addon.read_weights(data.decode())
    assert fps == 25 and max(weights["mouthSmileLeft"]) > 0.4 and answer
    assert addon.perform(served, "He winks with his left eye.", "glb")[1][:4] == b"glTF"
    with pytest.raises(ValueError, match="nothing to undo"):
        addon.perform(served, "undo", "glb")


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="start the server with: facelm serve"):
        addon.perform("http://127.0.0.1:9", "smile", "glb")
    with pytest.raises(ValueError, match="wanted: http"):
        addon.perform("file:///etc/passwd", "smile", "glb")


# -- in Blender ---------------------------------------------------------------------------
SCRIPT = """
import sys, json, importlib.util, bpy, numpy as np
spec = importlib.util.spec_from_file_location("facelm_blender", sys.argv[1])
addon = importlib.util.module_from_spec(spec)
spec.loader.exec_module(addon)
bpy.ops.wm.read_factory_settings(use_empty=True)
addon.register()
scene, out = bpy.context.scene, {}
scene.render.fps = 24
def other_mesh():
    data = bpy.data.meshes.new("other")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    one = bpy.data.objects.new("other", data)
    scene.collection.objects.link(one)
    for name in ("Basis", "MouthSmile_L", "JawOpen", "wrinkle"):
        one.shape_key_add(name=name)
    bpy.context.view_layer.objects.active = one
    return one
def played(mesh, names):
    rows = []
    for k in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(k)
        shown = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
        rows.append([mesh.data.shape_keys.key_blocks[n].value for n in names])
    return rows
other = other_mesh()
names = ["MouthSmile_L", "JawOpen"]
out["refused"] = ""
for take in (False, True):
    scene.render.fps, scene.render.fps_base = 24, 1
    assert bpy.ops.import_scene.facelm(filepath=sys.argv[2], take_rate=take) == {"FINISHED"}
    out[f"json {take}"] = [scene.render.fps / scene.render.fps_base, scene.frame_end, played(other, names)]
other.shape_key_clear()
try:
    bpy.ops.import_scene.facelm(filepath=sys.argv[2])
except RuntimeError as err:
    out["refused"] = str(err)
for take in (False, True):
    scene.render.fps, scene.render.fps_base = 24, 1
    assert bpy.ops.import_scene.facelm(filepath=sys.argv[3], take_rate=take) == {"FINISHED"}
    mesh = [o for o in scene.objects if o.type == "MESH" and o.data.shape_keys][-1]
    action = mesh.data.shape_keys.animation_data.action
    keys = [p.co[0] for c in addon.curves_of(action) for p in c.keyframe_points]
    out[f"glb {take}"] = [scene.render.fps / scene.render.fps_base, scene.frame_end, played(mesh, ["mouthSmileLeft"]),
                          max(abs(k - round(k)) for k in keys)]
if len(sys.argv) > 4:
    scene.facelm_url, scene.facelm_words, scene.facelm_own_head = sys.argv[4], "She smiles.", True
    assert bpy.ops.facelm.perform() == {"FINISHED"}
    mesh = [o for o in scene.objects if o.type == "MESH" and o.data.shape_keys][-1]
    out["performed"] = max(v for v, in played(mesh, ["mouthSmileLeft"]))
addon.unregister()
print("FOUND " + json.dumps(out))
"""


@needs_tokenizer
@pytest.mark.skipif(find_spec("bpy") is None, reason="bpy is not installed")
def test_in_blender(smile, served, tmp_path):
    (tmp_path / "run.py").write_text(SCRIPT)
    given = [export(smile, HEAD, tmp_path / name).path for name in ("clip.json", "clip.glb")]
    done = subprocess.run([sys.executable, "-W", "ignore", str(tmp_path / "run.py"), str(ADDON), *map(str, given), served],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(next(line[6:] for line in done.stdout.splitlines() if line.startswith("FOUND ")))
    ramp, jaw = np.linspace(0, 1, 26), np.sin(np.linspace(0, np.pi, 26))
    rate, last, rows = found["json True"]
    assert (rate, last) == (25, 25) and np.abs(np.array(rows) - np.c_[ramp, jaw]).max() < 1e-5
    rate, last, rows = found["json False"]
    at = np.arange(25) * 25 / 24
    assert (rate, last) == (24, 24)
    assert np.abs(np.array(rows) - np.c_[np.interp(at, np.arange(26), ramp), np.interp(at, np.arange(26), jaw)]).max() < 1e-5
    assert "shape keys with ARKit's names" in found["refused"]
    rate, last, rows, between = found["glb True"]
    assert (rate, last) == (25, 25) and between < 1e-3 and np.abs(np.array(rows)[:, 0] - ramp).max() < 1e-4
    rate, last, rows, between = found["glb False"]
    assert (rate, last) == (24, 24) and between < 1e-3
    assert np.abs(np.array(rows)[:, 0] - np.interp(at, np.arange(26), ramp)).max() < 1e-4
    assert found["performed"] > 0.4


TEXTURED = """
import sys, json, bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=sys.argv[1])
mesh = next(o for o in bpy.data.objects if o.type == "MESH")
node = next(n for m in mesh.data.materials for n in m.node_tree.nodes if n.type == "TEX_IMAGE")
keys = mesh.data.shape_keys
bpy.context.scene.frame_set(25)
print(json.dumps({"size": list(node.image.size), "middle": list(node.image.pixels[:4]), "uv": len(mesh.data.uv_layers),
                  "linked": any(link.from_node == node for m in mesh.data.materials for link in m.node_tree.links),
                  "smile": keys.key_blocks["mouthSmileLeft"].value}))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("bpy") is None, reason="needs bpy")
def test_a_texture_and_its_motion_arrive(smile, tmp_path):
    green = np.tile(np.array([[[40, 200, 60]]], np.uint8), (64, 64, 1))
    path = export(smile, replace(HEAD, texture=green), tmp_path / "a.glb").path
    done = subprocess.run([sys.executable, "-c", TEXTURED, str(path)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert found["size"] == [64, 64] and found["uv"] == 1 and found["linked"] and found["smile"] > 0.9
    assert found["middle"][:3] == pytest.approx([40 / 255, 200 / 255, 60 / 255], abs=0.03)
