"""An example file of each format that is read, written from its tool's own description."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from facelm.face.clip.channels import ARKIT_52
from facelm.face.io.convert.shapes.metahuman import CONTROLS
from facelm.face.io.convert.shapes.orders import ANGLES, AZURE_55, LIVELINK_52
from inputs import save
from scipy.spatial.transform import Rotation

T = 40
RNG = np.random.default_rng(5)
EXP = RNG.normal(0, 0.3, (T, 50)).astype(np.float32)
TURN = RNG.normal(0, 0.2, (T, 3)).astype(np.float32)
JAW = np.abs(RNG.normal(0, 0.1, (T, 3))).astype(np.float32)
SMILE = np.linspace(0, 0.8, T)
BLINK = np.where(np.arange(T) == 12, 1.0, 0.0)
WEIGHTS = {n: SMILE if n.startswith("mouthSmile") else BLINK if n.startswith("eyeBlink") else np.zeros(T) for n in ARKIT_52}


def six(turn: np.ndarray) -> np.ndarray:
    """(T, 6) first two rows of rotations."""
    return Rotation.from_rotvec(turn).as_matrix()[:, :2].reshape(-1, 6).astype(np.float32)


def metrical(folder: Path) -> Path:
    (folder / "checkpoint").mkdir()
    flip = np.diag([1.0, -1.0, -1.0])
    for t in range(T):
        own = flip @ Rotation.from_rotvec(TURN[t]).as_matrix()
        torch.save({"flame": {"exp": EXP[t: t + 1], "shape": np.zeros((1, 300), np.float32), "jaw": six(JAW)[t: t + 1],
                              "eyes": np.tile(six(np.zeros((1, 3))), (1, 2)), "eyelids": np.zeros((1, 2), np.float32)},
                    "opencv": {"R": own[None].astype(np.float32), "t": np.array([[0.01, 0.02, 0.9]], np.float32)},
                    "camera": {"R": np.zeros((1, 6)), "t": np.zeros((1, 3))}, "frame_id": f"{t:05d}", "global_step": 3},
                   folder / "checkpoint" / f"{t:05d}.frame")
    return folder


def head_tracker(folder: Path) -> Path:
    for t in range(T):
        np.savez(folder / f"{t}.npz", shape=np.zeros((1, 300)), exp=EXP[t: t + 1], head_pose=TURN[t: t + 1],
                 jaw_pose=JAW[t: t + 1],
                 neck_pose=np.zeros((1, 3)), eye_pose=np.full((1, 6), 0.1), tex=np.zeros((1, 50)), cam=np.zeros((1, 6)),
                 fov=np.zeros(1),
                 img=np.zeros((1, 200, 200, 3), np.uint8))
    return folder


def beat2(folder: Path) -> Path:
    poses = np.zeros((T, 165))
    poses[:, 36:39], poses[:, 66:69], poses[:, 48:51] = TURN, JAW, TURN
    np.savez(folder / "a.npz", poses=poses, expressions=EXP, betas=np.ones(300), trans=np.zeros((T, 3)), mocap_frame_rate=30,
             model="smplx2020", gender="neutral")
    return folder / "a.npz"


def artalk(folder: Path) -> Path:
    torch.save(torch.from_numpy(np.concatenate([EXP, np.zeros((T, 50), np.float32), TURN, JAW], 1)), folder / "a_motions.pt")
    return folder / "a_motions.pt"


def livelink(folder: Path) -> Path:
    lines = [",".join(["Timecode", "BlendShapeCount", *(n[0].upper() + n[1:] for n in LIVELINK_52), *ANGLES])]
    for t in range(T):
        turn = Rotation.from_rotvec(TURN[t]).as_euler("YXZ") * [-1, 1, -1]
        lines.append(",".join([f"00:00:{t // 25:02d}:{t % 25:02d}.000", "61", *(f"{WEIGHTS[n][t]:.8f}" for n in LIVELINK_52),
                               *(f"{x:.8f}" for x in turn), *["0"] * 6]))
    (folder / "a.csv").write_text("\n".join(lines))
    return folder / "a.csv"


def express(folder: Path) -> Path:
    turn = Rotation.from_rotvec(TURN).as_euler("YXZ") * [-1, 1, -1]
    np.save(folder / "a.npy", np.concatenate([np.stack([WEIGHTS[n] for n in LIVELINK_52], 1), turn, np.zeros((T, 6))], 1))
    return folder / "a.npy"


def azure(folder: Path) -> Path:
    rows = [[float(WEIGHTS[n][t]) if n in WEIGHTS else 0.0 for n in AZURE_55] for t in range(T)]
    events = [{"FrameIndex": 25, "BlendShapes": rows[25:]}, {"FrameIndex": 0, "BlendShapes": rows[:25]}]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, events)))
    return folder / "a.jsonl"


def facecap(folder: Path) -> Path:
    names = [n.replace("Left", "_L").replace("Right", "_R") for n in ARKIT_52]
    lines = ["info,1.0,facecap", "bs," + ",".join(names)]
    lines += [f"k,{t * 1000 / 60:.2f},0,0,{-30 + t},0,{t},0,0,0,0,0," + ",".join(f"{WEIGHTS[n][t]:.5f}" for n in ARKIT_52)
              for t in range(T)]
    (folder / "a.txt").write_text("\n".join(lines))
    return folder / "a.txt"


def openface(folder: Path) -> Path:
    units = {"AU12_r": SMILE * 5, "AU45_r": BLINK * 5, **{f"AU{u:02d}_r": np.zeros(T) for u in (1, 2, 4, 5, 6)},
             "AU12_c": SMILE > 0.2}
    names = ["frame", "face_id", "timestamp", "confidence", "success", *(f"gaze_{e}_{a}" for e in (0, 1) for a in "xyz"),
             *(f"pose_T{a}" for a in "xyz"), *(f"pose_R{a}" for a in "xyz"), *units]
    flip = np.diag([1.0, -1.0, -1.0])
    lines = [", ".join(names)]
    for t in range(T):
        own = flip @ Rotation.from_rotvec(TURN[t]).as_matrix() @ flip  # in OpenFace's frame
        ray = own @ [0, 0, -1]  # straight ahead of the head
        angles = Rotation.from_matrix(own).as_euler("XYZ")
        lines.append(", ".join(f"{x:.6f}" for x in (t + 1, 0, t / 30, 0.98, t != 7, *ray, *ray, 10, 20, 600, *angles,
                                                    *(float(v[t]) for v in units.values()))))
    (folder / "a.csv").write_text("\n".join(lines))
    return folder / "a.csv"


def pyfeat(folder: Path) -> Path:
    units = {"AU12": SMILE, "AU43": BLINK, "AU01": 0 * SMILE, "AU02": 0 * SMILE, "AU04": 0 * SMILE, "AU11": 0 * SMILE}
    names = ["FaceRectX", "FaceScore", "Pitch", "Roll", "Yaw", *units, "happiness", "input", "frame"]
    lines = [",".join(names)] + [",".join(map(str, (10, 0.99, 0.1, 0.2, 0.3, *(v[t] for v in units.values()), 0.5, "v.mp4",
                                                    t))) for t in range(T)]
    (folder / "a.csv").write_text("\n".join(lines))
    return folder / "a.csv"


def metahuman(folder: Path) -> Path:
    controls = {c: WEIGHTS[shape] for shape, parts in CONTROLS.items() for c in parts}
    table = {f"CTRL_expressions_{c}": list(map(float, v)) for c, v in controls.items()}
    save(folder / "a.json", {"fps": 24, "curves": table | {"CTRL_expressions_earUpL": list(map(float, SMILE))}})
    return folder / "a.json"


def shapes(folder: Path) -> Path:
    save(folder / "a.json", [{n: float(v[t]) for n, v in WEIGHTS.items()} for t in range(T)])
    return folder / "a.json"


def vrma(folder: Path) -> Path:
    """Keys of two expressions: blinkLeft at its own times, and the smile."""
    times = np.arange(T, dtype="<f4") / 30
    data = [times, *(np.stack([v, 0 * v, 0 * v], 1).astype("<f4") for v in (BLINK, SMILE, 0 * SMILE))]
    binary, views, accessors = b"", [], []
    for array in data:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "count": T, "type": "SCALAR"
                          if array.ndim == 1 else "VEC3"})
        binary += array.tobytes()
    names = ("blinkLeft", "happy", "aa")
    document = json.dumps({
        "asset": {"version": "2.0"}, "buffers": [{"byteLength": len(binary)}], "bufferViews": views, "accessors": accessors,
        "nodes": [{"name": n} for n in names], "animations": [{
            "samplers": [{"input": 0, "output": k + 1} for k in range(3)],
            "channels": [{"sampler": k, "target": {"node": k, "path": "translation"}} for k in range(3)]}],
        "extensions": {"VRMC_vrm_animation": {"expressions": {"preset": {n: {"node": k} for k,
                                                                         n in enumerate(names)}}}}}).encode()
    document += b" " * (-len(document) % 4)
    chunks = struct.pack("<II", len(document), 0x4E4F534A) + document + struct.pack("<II", len(binary), 0x004E4942) + binary
    (folder / "a.vrma").write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)
    return folder / "a.vrma"


def visemes(folder: Path) -> Path:
    names = {"time": np.arange(T) / 50, "viseme_sil": 1 - SMILE, "viseme_PP": 0 * SMILE, "viseme_aa": SMILE,
             "viseme_FF": 0 * SMILE}
    (folder / "a.csv").write_text("\n".join([",".join(names)] + [",".join(f"{v[t]:.6f}" for v in names.values())
                                                                 for t in range(T)]))
    return folder / "a.csv"


def dicts(**names: np.ndarray) -> Callable[[Path], Path]:
    return lambda folder: save(folder / "a.npz", names)


POSE = np.concatenate([TURN, JAW], 1)
ZERO3 = np.zeros((T, 3), np.float32)
EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "metrical-tracker": metrical, "flame-head-tracker": head_tracker, "BEAT2 / EMAGE": beat2, "ARTalk": artalk,
    "VHAP / GaussianAvatars": dicts(expr=EXP, rotation=TURN, jaw_pose=JAW, neck_pose=ZERO3, eyes_pose=np.zeros((T, 6)),
                                    translation=ZERO3),
    "SMIRK": dicts(expression_params=EXP, pose_params=TURN, jaw_params=JAW, cam=ZERO3),
    "TDMM-LM / Open3DFaceVid": dicts(expression=EXP, pose=TURN, jaw=JAW),
    "EMOCA": dicts(expcode=EXP, posecode=POSE), "DECA / SPECTRE / DiffPoseTalk": dicts(exp=EXP, pose=POSE,
                                                                                       shape=np.zeros((T, 100))),
    "Live Link Face": livelink, "Express4D": express, "Azure visemes": azure, "Face Cap": facecap, "OpenFace": openface,
    "py-feat": pyfeat,
    "MetaHuman controls": metahuman, "ARKit / MediaPipe blend shapes": shapes, "VRM expressions": vrma, "Oculus visemes": visemes}
