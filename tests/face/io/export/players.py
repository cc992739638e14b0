"""Other programs play our files: each function gives vertices at rest ``(V, 3)`` and played ``(K, V, 3)``, m, glTF's axes.

A test is skipped where a program is not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[4]
VENDOR = ROOT / "agent" / "server" / "web" / "vendor"
NODE_MODULES = (os.environ.get("NODE_PATH", ""), str(ROOT / ".venv" / "node" / "node_modules"))

THREE = """
import { readFileSync, writeFileSync } from "node:fs";
import { AnimationMixer, LoopOnce, Vector3 } from "./three.module.min.js";
import { GLTFLoader } from "./addons/loaders/GLTFLoader.js";
globalThis.self = globalThis;
console.error = console.warn = () => {};  // textures need a browser
const [file, times, out] = process.argv.slice(2);
const bytes = readFileSync(file);
const gltf = await new GLTFLoader().parseAsync(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), "");
const meshes = [];
gltf.scene.traverse((o) => { if (o.isMesh) meshes.push(o); });
const mixer = new AnimationMixer(gltf.scene);
const action = gltf.animations.length ? mixer.clipAction(gltf.animations[0]) : null;
if (action) { action.setLoop(LoopOnce); action.clampWhenFinished = true; action.play(); }
const values = [];
const v = new Vector3();
for (const m of meshes) values.push(...m.geometry.attributes.position.array);
for (const t of JSON.parse(times)) {
  if (action) { action.paused = false; action.enabled = true; action.time = t; mixer.update(0); }
  gltf.scene.updateMatrixWorld(true);
  for (const m of meshes) {
    if (m.isSkinnedMesh) m.skeleton.update();
    for (let i = 0; i < m.geometry.attributes.position.count; i++) {
      m.getVertexPosition(i, v).applyMatrix4(m.matrixWorld);
      values.push(v.x, v.y, v.z);
    }
  }
}
writeFileSync(out, new Uint8Array(Float32Array.from(values).buffer));
console.log(JSON.stringify({ names: Object.keys(meshes[0].morphTargetDictionary ?? {}), animation: gltf.animations[0]?.name }));
"""

BLENDER = """
import sys, json, bpy, numpy as np
file, fps, frames, out = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
(bpy.ops.wm.usd_import if file.endswith((".usda", ".usdc")) else bpy.ops.import_scene.gltf)(filepath=file)
mesh = next(o for o in scene.objects if o.type == "MESH" and o.data.shape_keys)
def vertices(m):
    v = np.empty(3 * len(m.vertices), np.float32)
    m.vertices.foreach_get("co", v)
    return v.reshape(-1, 3)
rows = [vertices(mesh.data) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)]  # as the file has it: y up
for k in frames:
    scene.frame_set(int(k), subframe=k % 1)
    one = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    at = np.array(one.matrix_world)
    v = vertices(one.to_mesh()) @ at[:3, :3].T + at[:3, 3]
    rows.append(v @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]))
np.save(out, np.stack(rows).astype(np.float32))
keys = [k.name for k in mesh.data.shape_keys.key_blocks]
print("FOUND " + json.dumps({"names": keys, "actions": [a.name for a in bpy.data.actions]}))
"""


def node(*modules: str) -> str:
    """The program, where it and the modules are installed."""
    found = shutil.which("node")
    env = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, NODE_MODULES))}
    if not found or any(subprocess.run([found, "-e", f"require('{m}')"], capture_output=True, env=env).returncode
                        for m in modules):
        pytest.skip(f"node{' with ' if modules else ''}{' and '.join(modules)} is not installed")
    return found


def three(glb: Path, times: list[float], folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """three.js, the copy that the page ships, under node."""
    program = node()
    shutil.copytree(VENDOR, folder / "three", dirs_exist_ok=True)
    (folder / "three" / "package.json").write_text('{"type": "module"}')
    (folder / "three" / "play.js").write_text(THREE)
    done = subprocess.run([program, "play.js", str(glb), json.dumps(times), str(folder / "three.bin")], cwd=folder / "three",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    values = np.fromfile(folder / "three.bin", "<f4").reshape(len(times) + 1, -1, 3)
    return values[0], values[1:], json.loads(done.stdout.splitlines()[-1])


def blender(file: Path, fps: float, frames: list[float], folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Blender without its window, in a process of its own."""
    if find_spec("bpy") is None:
        pytest.skip("bpy is not installed")
    (folder / "play.py").write_text(BLENDER)
    done = subprocess.run([sys.executable, "-W", "ignore", str(folder / "play.py"), str(file), repr(fps), json.dumps(frames),
                           str(folder / "blender.npy")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    values = np.load(folder / "blender.npy")
    return values[0], values[1:], json.loads(next(line[6:] for line in done.stdout.splitlines() if line.startswith("FOUND ")))


def validated(glb: Path) -> dict[str, object]:
    """What the Khronos validator says of a file."""
    program = node("gltf-validator")
    script = ("require('gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])))"
              ".then(r => console.log(JSON.stringify(r.issues)))")
    env = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, NODE_MODULES))}
    done = subprocess.run([program, "-e", script, str(glb)], capture_output=True, text=True, check=True, env=env)
    issues: dict[str, object] = json.loads(done.stdout)
    return issues


def gap(played: np.ndarray, rest_played: np.ndarray, wanted: np.ndarray, rest: np.ndarray) -> float:
    """Largest distance, m, between played vertices ``(K, V', 3)`` and wanted ones ``(K, V, 3)``, paired by their rest."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(rest).query(rest_played)
    assert distance.max() < 1e-5
    return float(np.linalg.norm(played - wanted[:, index], axis=2).max())
