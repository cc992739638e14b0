"""The table of formats, and what writes any of them."""

from __future__ import annotations

import os
from pathlib import Path

from ...clip.sequence import FaceSequence
from ...head.model import HeadModel
from ...retarget.retarget import Report, Retargeting
from ..convert.arkit import LEAST_NAMES, known_names, limited
from ..gltf import write_glb
from . import actions, flame, livelink, named
from .base import Exported, Format, Job
from .bvh import write_bvh
from .obj import write_obj
from .targets import TARGETS
from .usd import write_usd
from .vrm import write_vrma

_NAMED = ("arkit52", "vrm", "viseme")
_HEAD_ONLY = "identity, place, mesh; the neck's turn is part of the head's"
_ANGLES = "rad; yaw to the subject's right, pitch downwards, roll to the left shoulder"


def _glb(job: Job, path: Path) -> None:
    job.cut_to_sliders()
    write_glb(job.seq, job.head, path, target="arkit52" if job.target == "arkit52" else "head", title=job.title, notes=job.notes)


def _npz(job: Job, path: Path) -> None:
    job.seq.save(path)


FORMATS: tuple[Format, ...] = (
    Format("clip", "facelm clip", ".npz", ("head",), "rad, m, frames a second", "everything", "nothing", _npz, "exactly"),
    Format("livelink", "Live Link Face CSV", ".csv", ("arkit52",), f"weights 0 to 1; {_ANGLES}; SMPTE time codes",
           "52 shapes, angles of head and eyes, the rate", _HEAD_ONLY, livelink.write_livelink,
           "to 1e-6, head and neck as one turn"),
    Format("arkit-json", "ARKit JSON, a dict a frame", ".json", _NAMED, "weights 0 to 1; s; cm (MediaPipe's matrices)",
           "weights, the head's pose, the rate", "identity, mesh; the neck's turn is part of the head's", named.write_frames,
           "to 1e-5, head and neck as one turn (ARKit's shapes)"),
    Format("arkit-csv", "ARKit CSV, a column a shape", ".csv", _NAMED, "weights 0 to 1; s", "weights, the rate",
           f"the head's turn, {_HEAD_ONLY.split(';')[0]}", named.write_table, "to 1e-6, face alone (ARKit's shapes)"),
    Format("names-json", "names and weights JSON (BEAT, LAM)", ".json", _NAMED, "weights 0 to 1; s", "weights, the rate",
           f"the head's turn, {_HEAD_ONLY.split(';')[0]}", named.write_names, "to 1e-6, face alone (ARKit's shapes)"),
    Format("audio2face", "Audio2Face JSON", ".json", ("arkit52",), "weights 0 to 1; frames a second", "52 shapes, the rate",
           f"the head's turn, {_HEAD_ONLY.split(';')[0]}", named.write_audio2face, "to 1e-6, face alone"),
    Format("vhap", "VHAP / GaussianAvatars npz", ".npz", ("flame",), "rad (axis-angle), m", "all FLAME parameters, the rate",
           "eyelids", flame.write_vhap, "exactly"),
    Format("deca", "DECA dict (exp, pose, shape) npz", ".npz", ("flame",), "rad (axis-angle)",
           "50 expression and 100 identity coefficients, head, jaw, the rate", "eyes, eyelids, place, further coefficients",
           flame.write_deca, "exactly what it keeps"),
    Format("emoca", "EMOCA dict (expcode, posecode, shapecode) npz", ".npz", ("flame",), "rad (axis-angle)",
           "50 expression and 100 identity coefficients, head, jaw, the rate", "eyes, eyelids, place, further coefficients",
           flame.write_emoca, "exactly what it keeps"),
    Format("smirk", "SMIRK dict (expression_params, pose_params, jaw_params) npz", ".npz", ("flame",), "rad (axis-angle)",
           "50 expression and 300 identity coefficients, eyelids, head, jaw, the rate", "eyes, place, further coefficients",
           flame.write_smirk, "exactly what it keeps"),
    Format("openface", "OpenFace-style action units CSV", ".csv", ("actions",),
           "intensity 0 to 5, presence; rad and mm of OpenFace's camera", "measured units, gaze, head pose, every frame",
           "all that is not measured", actions.write_units),
    Format("events", "measured events CSV", ".csv", ("actions",), "s; strength 0 to 1; mm, deg, Hz",
           "each action with side, start, apex, end, strength, count", "the motion between", actions.write_events),
    Format("elan", "ELAN annotation", ".eaf", ("actions",), "ms", "each action with side and strength, a tier an action",
           "the motion between", actions.write_elan),
    Format("textgrid", "Praat TextGrid", ".TextGrid", ("actions",), "s", "each action with side and strength, a tier an action",
           "the motion between; overlaps within a tier", actions.write_textgrid),
    Format("glb", "GLB (glTF 2.0)", ".glb", ("head", "arkit52"), "m, s, quaternions; scene extras: fps",
           "mesh, morph targets, joints, motion; a textured head's picture", "nothing of these", _glb),
    Format("vrma", "VRM Animation 1.0", ".vrma", ("vrm", "arkit52"), "weights 0 to 1, s, quaternions",
           "expressions (presets, or 52 custom ones), the head's turn", _HEAD_ONLY, write_vrma),
    Format("usd", "USD (UsdSkel blend shapes), text", ".usda", ("head", "arkit52"), "m, frames as time codes, y up",
           "mesh, blend shapes, joints, motion, texture coordinates, a textured head's picture", "nothing of these", write_usd),
    Format("usdc", "USD, binary", ".usdc", ("head", "arkit52"), "m, frames as time codes, y up",
           "mesh, blend shapes, joints, motion, texture coordinates, a textured head's picture", "nothing of these", write_usd),
    Format("obj", "OBJ sequence", "", ("head",), "m, y up", "every vertex of every frame, a textured head's picture",
           "the rate, names, colours of each vertex",
           write_obj),
    Format("bvh", "BVH of the five joints", ".bvh", ("head",), "cm, degrees", "joints, their turns, the head's place, the rate",
           "expression, mesh", write_bvh),
)
"""What a clip can be written as."""


def suffixes() -> tuple[str, ...]:
    """All file name endings, once each."""
    return tuple(dict.fromkeys(f.suffix for f in FORMATS if f.suffix))


def chosen(path: Path, name: str | None, target: str | None) -> Format:
    """The format that a name, or a file's ending and a target, stand for: the first of the table that fits.

    Raises:
        ValueError: there is none.
    """
    if target is not None and target not in TARGETS:
        raise ValueError(f"--target is {target!r}; allowed: {', '.join(TARGETS)}")
    if name is not None:
        found = [f for f in FORMATS if f.name == name]
        if not found:
            raise ValueError(f"--format is {name!r}; allowed: {', '.join(f.name for f in FORMATS)}")
        if path.suffix.lower() != found[0].suffix.lower():
            ending = f"end in {found[0].suffix}" if found[0].suffix else "have no ending (a folder)"
            raise ValueError(f"{path} is no name for {found[0].label}; it must {ending}")
    else:
        found = [f for f in FORMATS if f.suffix.lower() == path.suffix.lower()]
        if not found:
            raise ValueError(f"cannot write {path.name!r}: it must end in {', '.join(suffixes())}, or have no ending (a folder "
                             "of OBJ files)")
    fits = [f for f in found if target is None or target in f.targets]
    if not fits:
        allowed = dict.fromkeys(t for f in found for t in f.targets)
        raise ValueError(f"{found[0].label if name else path.suffix} cannot hold {target}; --target may be {', '.join(allowed)}")
    return fits[0]


def _on_head(seq: FaceSequence, head: HeadModel, to: HeadModel | None, target: str
             ) -> tuple[FaceSequence, HeadModel, Report | None]:
    """The clip on a head that the target can be read from; with the errors of the way there."""
    named_head = known_names(head.expr_names) >= LEAST_NAMES and isinstance(head.meta.get("arkit_angles"), dict)
    if to is None and target in _NAMED and not named_head:
        to = HeadModel.default()
    if target == "flame" and not flame.is_flame(to or head):
        raise ValueError(f"FLAME's parameters are of a FLAME head, and {(to or head).ref} is none: give --to FLAME.npz, made by "
                         "`facelm head import`")
    if to is None or to.ref == head.ref:
        return seq, head, None
    there = Retargeting.between(head, to)
    done = there.apply(seq)
    return done, to, there.report(seq, done)


def prepared(seq: FaceSequence, head: HeadModel, target: str, to: HeadModel | None = None, fps: float | None = None,
             clamp: bool = False, title: str = "") -> tuple[Job, Report | None]:
    """A clip at the wanted rate and on a head of the target, ready for an exporter; see :func:`export`."""
    head.require(seq)
    notes: list[str] = []
    if fps is not None and fps != seq.fps:
        notes.append(f"resampled from {seq.fps:g} to {fps:g} fps, linear between frames")
        seq = seq.resample(fps)
    seq, head, report = _on_head(seq, head, to, target)
    if clamp:
        seq = limited(seq, head, notes)
    return Job(seq, head, target, title, clamp, notes), report


def export(seq: FaceSequence, head: HeadModel, path: str | os.PathLike[str], *, format: str | None = None,
           target: str | None = None, to: HeadModel | None = None, fps: float | None = None, clamp: bool = False,
           title: str | None = None) -> Exported:
    """Write a clip as another tool's file.

    Args:
        seq: the clip.
        head: its head.
        path: the file, or for OBJ the folder; its ending says the format where ``format`` does not.
        format: a name of ``FORMATS``.
        target: what the file should hold, of ``TARGETS``; default: what the format usually does.
        to: go to this head first; default: the packaged one where the target needs ARKit's names and the head has none.
        fps: resample first; linear between frames.
        clamp: cut ARKit's weights to 0 to 1, those that turn joints too, whatever the format.
        title: stored where the format has a place for it; default: the file's name.

    Raises:
        ValueError: no such format or target, or one does not fit the other, the head or the rate; ``clamp``, and the head
            has no ARKit columns.
        FileNotFoundError: the folder does not exist.
        ImportError: a library that the format needs is not installed.
    """
    path = Path(path)
    kind = chosen(path, format, target)
    aim = target or kind.targets[0]
    job, report = prepared(seq, head, aim, to, fps, clamp, title or path.stem)
    if not seq.valid.all() and kind.name not in ("clip", "openface"):
        job.notes.append(f"{int((~seq.valid).sum())} frames are marked invalid in the clip; they are written like the others")
    kind.write(job, path)
    return Exported(path, kind, aim, job.seq, tuple(dict.fromkeys(job.notes)), report)


def table() -> str:
    """The formats as a Markdown table."""
    rows = ["| `--format` | file | `--target` | units | keeps | loses | read back |", "|---|---|---|---|---|---|---|"]
    for f in FORMATS:
        place = f"`{f.suffix}`" if f.suffix else "a folder"
        rows.append(f"| `{f.name}` | {f.label}, {place} | {', '.join(f.targets)} | {f.units} | {f.keeps} | {f.loses} "
                    f"| {f.back or 'no'} |")
    return "\n".join(rows) + "\n"
