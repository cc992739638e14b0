"""Textures: coordinates, painting, drawing, and what goes into files for other tools."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from facelm.face.avatar.store import read_about, save_textured
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.export import export
from facelm.face.render.atlas import Atlas, painted
from facelm.face.render.camera import portrait
from facelm.face.render.pyramid import blended, filled
from facelm.face.render.render import Renderer
from PIL import Image

HEAD = HeadModel.default()
LAYOUT = HEAD.layout
RED, GREEN = (200, 30, 30), (30, 200, 30)


def halves() -> HeadModel:
    """A head whose left side is red and whose right side is green."""
    atlas = Atlas(HEAD, 256)
    side = atlas.spread(atlas.of(HEAD.v_template[:, :1]))[..., 0]
    return replace(HEAD, texture=np.where((side > 0)[..., None], RED, GREEN).astype(np.uint8))


def rest(head: HeadModel) -> FaceSequence:
    return FaceSequence.rest(2, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)


# -- coordinates --------------------------------------------------------------------------
def test_coordinates_cover_the_head_without_overlap():
    uv = LAYOUT.uv[LAYOUT.faces].astype(float)
    assert (LAYOUT.vertex[LAYOUT.faces] == HEAD.faces).all() and uv.min() >= 0 and uv.max() <= 1
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    atlas = Atlas(HEAD, 1024)
    assert atlas.inside.mean() == pytest.approx(np.abs(twice).sum() / 2, rel=0.02)  # overlapping faces would cover less
    face = np.isin(HEAD.faces, HEAD.masks["face"]).all(1)
    corners = HEAD.v_template[HEAD.faces[face]].astype(float)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    assert 2048 * np.sqrt(np.abs(twice[face]).sum() / area) / 1000 > 2.5  # texels a mm at 2048


def test_the_other_side_is_the_other_side():
    assert (LAYOUT.mirror[LAYOUT.mirror] == np.arange(len(LAYOUT.uv))).all()
    there = HEAD.v_template[LAYOUT.vertex[LAYOUT.mirror]] * [-1, 1, 1]
    assert np.abs(there - HEAD.v_template[LAYOUT.vertex]).max() < 1e-3
    atlas = Atlas(HEAD, 512)
    places = atlas.of(HEAD.v_template)
    off = np.abs(atlas.mirrored(places) * [-1, 1, 1] - places).max(2)
    assert np.quantile(off[atlas.inside], 0.99) < 1e-3  # a seam's own texels mix with what lies outside


def test_only_heads_with_its_faces_have_the_layout():
    other = replace(HEAD, faces=HEAD.faces[::-1].copy(), lmk_faces=np.zeros_like(HEAD.lmk_faces))
    assert other.layout is None and replace(HEAD, v_template=HEAD.v_template * 1.01).layout is not None
    with pytest.raises(ValueError, match="no texture coordinates"):
        replace(other, texture=np.zeros((64, 64, 3), np.uint8))
    for bad in (np.zeros((64, 32, 3), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((32, 32, 3), np.uint8)):
        with pytest.raises(ValueError, match="square, three channels"):
            replace(HEAD, texture=bad)


# -- drawing ------------------------------------------------------------------------------
def test_a_texture_lies_where_it_belongs():
    seq = rest(HEAD)
    drawn = Renderer(halves(), portrait(seq, HEAD, 128), 128).draw(HEAD.vertices()[0]).astype(int)
    left, right = drawn[64, 70:80].mean(0), drawn[64, 48:58].mean(0)  # the subject's left is at the picture's right
    assert left[0] > 2 * left[1] and right[1] > 2 * right[0]


def test_the_painted_head_looks_like_the_head():
    seq, camera = rest(HEAD), portrait(rest(HEAD), HEAD, 128)
    own = replace(HEAD, texture=painted(HEAD, 512))
    assert own == HEAD and own.ref == HEAD.ref  # a texture is no part of the identity
    a, b = (Renderer(h, camera, 128).draw(HEAD.sequence_vertices(seq)[0]).astype(int) for h in (HEAD, own))
    assert 0 < np.abs(a - b).mean() < 3  # highlights are weaker on a texture


def test_folders_of_textured_heads(tmp_path):
    made = save_textured(halves(), tmp_path / "two.avatar", {"consent": "mine"})
    again = HeadModel.load(tmp_path / "two.avatar")
    assert again == made and (again.texture == halves().texture).all()
    assert read_about(tmp_path / "two.avatar")["consent"] == "mine"
    (tmp_path / "two.avatar" / "albedo.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="albedo.png is not a readable picture"):
        HeadModel.load(tmp_path / "two.avatar")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(FileExistsError, match="mine.txt"):
        save_textured(halves(), tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="without head.npz"):
        HeadModel.load(tmp_path / "other")


# -- pyramids -----------------------------------------------------------------------------
def test_holes_are_filled_from_around_and_layers_blend_smoothly():
    x = np.linspace(0, 1, 64, dtype=np.float32)
    ramp = np.ascontiguousarray(np.broadcast_to(x[None, :, None], (64, 64, 1)))
    weight = np.ones((64, 64), np.float32)
    weight[20:40, 20:40] = 0
    full = filled(np.where(weight[..., None] > 0, ramp, 9).astype(np.float32), weight)
    assert np.abs(full - ramp).max() < 0.12 and (full[weight > 0] == ramp[weight > 0]).all()
    half = np.zeros((64, 64), np.float32)
    half[:, :32] = 1
    assert np.abs(blended([ramp, ramp], [half, 1 - half]) - ramp).max() < 1e-5
    step = blended([ramp * 0 + 1, ramp * 0], [half, 1 - half])[32, :, 0]
    assert step[0] > 0.95 and step[-1] < 0.05 and np.abs(np.diff(step)).max() < 0.5  # no hard border


# -- files --------------------------------------------------------------------------------
def _glb(path):
    raw = path.read_bytes()
    size = int.from_bytes(raw[12:16], "little")
    return json.loads(raw[20:20 + size]), raw[28 + size:]


def test_glb_holds_coordinates_and_one_picture(tmp_path):
    head = halves()
    doc, data = _glb(export(rest(head), head, tmp_path / "a.glb").path)
    assert [i["mimeType"] for i in doc["images"]] == ["image/jpeg"]
    assert all(m["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0} for m in doc["materials"])

    def read(accessor: int) -> np.ndarray:
        a = doc["accessors"][accessor]
        start, width = doc["bufferViews"][a["bufferView"]]["byteOffset"], {"VEC2": 2, "VEC3": 3}[a["type"]]
        return np.frombuffer(data, "<f4", a["count"] * width, start).reshape(-1, width)

    view = doc["bufferViews"][doc["images"][0]["bufferView"]]
    picture = np.array(Image.open(io.BytesIO(data[view["byteOffset"]:view["byteOffset"] + view["byteLength"]])))
    for primitive in doc["meshes"][0]["primitives"]:
        place, uv = read(primitive["attributes"]["POSITION"]), read(primitive["attributes"]["TEXCOORD_0"])
        shown = picture[tuple((uv[:, ::-1] * 256).astype(int).T)].astype(int)
        clear = np.abs(place[:, 0]) > 0.01
        assert ((shown[:, 0] > shown[:, 1]) == (place[:, 0] > 0))[clear].mean() > 0.99
    untextured, _ = _glb(export(rest(HEAD), HEAD, tmp_path / "b.glb").path)
    assert [i["name"] for i in untextured["images"]] == ["eye"]


def test_obj_holds_coordinates_material_and_picture(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    head = halves()
    folder = export(rest(head), head, tmp_path / "frames").path
    assert {p.name for p in folder.iterdir()} == {"frame_00000.obj", "frame_00001.obj", "head.mtl", "albedo.png"}
    mesh = trimesh.load(folder / "frame_00000.obj", process=False)
    colours = mesh.visual.to_color().vertex_colors[:, :2].astype(int)
    clear = np.abs(mesh.vertices[:, 0]) > 0.01
    assert ((colours[:, 0] > colours[:, 1]) == (mesh.vertices[:, 0] > 0))[clear].mean() > 0.99
    assert export(rest(head), head, tmp_path / "frames").path == folder  # its own files are replaced


def test_usd_holds_coordinates_and_material(tmp_path):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdShade

    head = halves()
    done = export(rest(head), head, tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(done.path))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Mesh"))
    st = np.array(UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").ComputeFlattened())
    assert np.abs(st - (LAYOUT.uv * [1, -1] + [0, 1])[LAYOUT.faces.reshape(-1)]).max() < 1e-6
    material, _ = UsdShade.MaterialBindingAPI(mesh.GetPrim()).ComputeBoundMaterial()
    file = UsdShade.Shader(stage.GetPrimAtPath(f"{material.GetPath()}/Texture")).GetInput("file").Get()
    assert (np.array(Image.open(file.resolvedPath)) == head.texture).all() and "a_albedo.png" in " ".join(done.notes)
