"""USD: the head as an animated UsdSkel character (https://openusd.org/release/api/usd_skel_page_front.html)."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import atomic_file
from ....common.optional import require
from ....common.text import one_line
from ...clip.channels import JOINTS, PARENTS
from ...head.texture import write_texture
from ...render.shading import appearance
from ..glb.motion import MOVES, Motion, arkit_motion, head_motion
from ..gltf import off
from .base import Job


def _paths() -> list[str]:
    """Joints as UsdSkel names them, each below its parent."""
    out: list[str] = []
    for joint, parent in zip(JOINTS, PARENTS, strict=True):
        out.append(joint if parent < 0 else f"{out[parent]}/{joint}")
    return out


def _moved(places: np.ndarray) -> Any:
    """Translations (5, 3) as USD's matrices, which multiply rows."""
    from pxr import Gf, Vt

    return Vt.Matrix4dArray([Gf.Matrix4d(1.0).SetTranslate(Gf.Vec3d(*row)) for row in places.tolist()])


def _material(stage: Any, mesh: Any, picture: str) -> None:
    """A preview surface with a picture that lies beside the stage."""
    from pxr import Sdf, UsdShade

    def shader(name: str, kind: str) -> Any:
        made = UsdShade.Shader.Define(stage, f"/Head/Skin/{name}")
        made.CreateIdAttr(kind)
        return made

    material = UsdShade.Material.Define(stage, "/Head/Skin")
    surface, texture, reader = shader("Surface", "UsdPreviewSurface"), shader("Texture", "UsdUVTexture"), shader(
        "Places", "UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{picture}")
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(
        reader.CreateOutput("result", Sdf.ValueTypeNames.Float2))
    surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(
        texture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3))
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.6)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)


def _mesh(stage: Any, job: Job, motion: Motion, picture: str | None) -> None:
    from pxr import Gf, Sdf, UsdGeom, UsdSkel, Vt

    mesh = UsdGeom.Mesh.Define(stage, "/Head/Mesh")
    faces = np.ascontiguousarray(job.head.faces, np.int32)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(motion.base.astype(np.float32)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.reshape(-1)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(Vt.Vec3fArray([Gf.Vec3f(*motion.base.min(0).tolist()), Gf.Vec3f(*motion.base.max(0).tolist())]))
    colours = np.ascontiguousarray(appearance(job.head, None, None).albedo, np.float32)
    mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(Vt.Vec3fArray.FromNumpy(colours))
    if (layout := job.head.layout) is not None:
        st = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying)
        st.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(layout.uv * [1, -1] + [0, 1], np.float32)))
        st.SetIndices(Vt.IntArray.FromNumpy(np.ascontiguousarray(layout.faces, np.int32).reshape(-1)))
    if picture is not None:
        _material(stage, mesh, picture)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    skin = np.asarray(job.head.weights, np.float32)
    binding.CreateJointIndicesPrimvar(False, 5).Set(Vt.IntArray.FromNumpy(np.tile(np.arange(5, dtype=np.int32), len(skin))))
    binding.CreateJointWeightsPrimvar(False, 5).Set(Vt.FloatArray.FromNumpy(skin.reshape(-1)))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    binding.CreateSkeletonRel().SetTargets([Sdf.Path("/Head/Skeleton")])
    binding.CreateBlendShapesAttr(Vt.TokenArray(motion.names))
    targets = []
    for name, delta in zip(motion.names, motion.deltas, strict=True):
        rows = np.flatnonzero(np.abs(delta).max(1) > MOVES).astype(np.int32)
        shape = UsdSkel.BlendShape.Define(stage, f"/Head/Mesh/{name}")
        shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(delta[rows].astype(np.float32)))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(rows))
        targets.append(shape.GetPath())
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)


def _animation(stage: Any, motion: Motion) -> None:
    from pxr import Sdf, UsdSkel, Vt

    rest = motion.joints - np.where(np.array(PARENTS)[:, None] < 0, 0.0, motion.joints[list(PARENTS)])
    skeleton = UsdSkel.Skeleton.Define(stage, "/Head/Skeleton")
    skeleton.CreateJointsAttr(Vt.TokenArray(_paths()))
    skeleton.CreateBindTransformsAttr(_moved(motion.joints))
    skeleton.CreateRestTransformsAttr(_moved(rest))
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([Sdf.Path("/Head/Animation")])
    clip = UsdSkel.Animation.Define(stage, "/Head/Animation")
    clip.CreateJointsAttr(Vt.TokenArray(_paths()))
    clip.CreateBlendShapesAttr(Vt.TokenArray(motion.names))
    clip.CreateScalesAttr(Vt.Vec3hArray([(1.0, 1.0, 1.0)] * len(JOINTS)))
    places, turns, weights = clip.CreateTranslationsAttr(), clip.CreateRotationsAttr(), clip.CreateBlendShapeWeightsAttr()
    for k in range(len(motion.weights)):
        places.Set(Vt.Vec3fArray.FromNumpy(motion.translations[k].astype(np.float32)), k)
        turns.Set(Vt.QuatfArray.FromNumpy(motion.rotations[k].astype(np.float32)), k)
        weights.Set(Vt.FloatArray.FromNumpy(motion.weights[k].astype(np.float32)), k)


def write_usd(job: Job, path: Path) -> None:
    """Write a stage with one character, ``/Head``; time codes are frames. A textured head's picture lies beside it."""
    require("pxr", "usd", "USD files are written by OpenUSD")
    from pxr import Usd, UsdGeom, UsdSkel

    if job.target == "arkit52":
        job.cut_to_sliders()
        motion = arkit_motion(job.seq, job.head)
        job.notes += off(job.seq, job.head, motion)
    else:
        motion, _ = head_motion(job.seq, job.head)
    picture = None
    if job.head.texture is not None:
        picture = f"{path.stem}_albedo.png"
        write_texture(job.head.texture, path.with_name(picture))
        job.notes.append(f"its texture lies beside it: {picture}")
    with atomic_file(path) as partial:
        stage = Usd.Stage.CreateNew(str(partial))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        stage.SetTimeCodesPerSecond(job.seq.fps)
        stage.SetFramesPerSecond(job.seq.fps)
        stage.SetStartTimeCode(0)
        stage.SetEndTimeCode(len(job.seq) - 1)
        mark = job.head.meta.get("mark")
        stage.GetRootLayer().documentation = f"{job.title} ({mark})" if mark else job.title
        stage.SetDefaultPrim(UsdSkel.Root.Define(stage, "/Head").GetPrim())
        _animation(stage, motion)
        _mesh(stage, job, motion, picture)
        try:
            stage.GetRootLayer().Save()
        except Exception as err:  # Tf.ErrorException: pages of C++, and no file name
            raise OSError(errno.EIO, f"it cannot be written ({one_line(err, 60)})") from err
        del stage
