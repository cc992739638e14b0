"""Weights outside 0 to 1, rates next to whole ones, and clips that do not fit: cut, counted or refused in every format."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from facelm.face.io.convert.arkit import perform, weights
from facelm.face.io.export import FORMATS, export
from facelm.face.io.export.livelink import counting
from facelm.face.io.heads.flame import import_head
from flame_files import export_flame_layout

HEAD = HeadModel.default()


def wild() -> tuple[FaceSequence, np.ndarray]:
    """A clip of weights from -0.2 to 1.6, no two of which turn one joint against each other; and the weights cut by hand."""
    rng = np.random.default_rng(0)
    table = rng.uniform(-0.2, 1.6, (9, 52))
    for name in ARKIT_52:
        if name in ("jawRight",) or name.startswith(("eyeLookDown", "eyeLookIn")):
            table[:, ARKIT_52.index(name)] = 0.0
        elif name == "jawLeft" or name.startswith(("eyeLookUp", "eyeLookOut")):
            table[:, ARKIT_52.index(name)] = np.abs(table[:, ARKIT_52.index(name)])
    arrays = perform(dict(zip(ARKIT_52, table.T, strict=True)), HEAD)
    seq = FaceSequence.rest(9, HEAD.ref, n_expr=HEAD.n_expr, fps=25.0).replace(**{k: v.astype("f4") for k, v in arrays.items()})
    return seq, np.minimum(np.maximum(table, 0.0), 1.0)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda f: f.name)
def test_clamp_cuts_in_every_format_or_is_refused(kind, tmp_path: Path) -> None:
    if kind.suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    seq, wanted = wild()
    for target in kind.targets:
        path = tmp_path / f"{target}{kind.suffix}"
        if target == "flame":
            continue
        done = export(seq, HEAD, path, format=kind.name, target=target, clamp=True)
        assert weights(done.seq, HEAD, limit=False) == pytest.approx(wanted, abs=1e-5)
        assert any("are cut to it" in n for n in done.notes) and not any("--clamp cuts" in n for n in done.notes)


def test_the_values_in_the_files_are_the_cut_ones(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    seq, wanted = wild()
    export(seq, HEAD, tmp_path / "a.csv", format="arkit-csv", clamp=True)
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert np.array([[float(r[n]) for n in ARKIT_52] for r in rows]) == pytest.approx(wanted, abs=1e-5)
    export(seq, HEAD, tmp_path / "obj", format="obj", clamp=True)
    there = {k: v.astype("f4") for k, v in perform(dict(zip(ARKIT_52, wanted.T, strict=True)), HEAD).items()}
    mesh = trimesh.load(tmp_path / "obj" / "frame_00003.obj", process=False, maintain_order=True)
    assert np.abs(mesh.vertices - HEAD.sequence_vertices(seq.replace(**there))[3]).max() < 2e-6
    assert np.abs(mesh.vertices - HEAD.sequence_vertices(seq)[3]).max() > 1e-3, "nothing was cut"
    plain, cut = (export(seq, HEAD, tmp_path / f"{n}.glb", clamp=n == "cut") for n in ("plain", "cut"))
    assert plain.path.read_bytes() != cut.path.read_bytes()


def test_a_head_without_names_has_nothing_to_cut(tmp_path: Path) -> None:
    files = export_flame_layout(HEAD, tmp_path / "m.pkl")
    flame = import_head(files.model, files.landmarks)
    seq = FaceSequence.rest(3, flame.ref, n_expr=flame.n_expr, n_shape=flame.n_shape)
    with pytest.raises(ValueError, match="--clamp cuts ARKit's weights to 0 to 1, but the head .* has no ARKit columns"):
        export(seq, flame, tmp_path / "a.npz", format="vhap", clamp=True)
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(("fps", "nominal"), [(24000 / 1001, 24), (48000 / 1001, 48), (120000 / 1001, 120), (23.976, 24),
                                              (47.952, 48), (119.88, 120)])
def test_rates_a_thousandth_below_a_whole_one_are_counted_without_drops(tmp_path: Path, fps: float, nominal: int) -> None:
    assert counting(fps) == (nominal, 1, False)
    seq = FaceSequence.rest(3 * nominal, HEAD.ref, n_expr=HEAD.n_expr, fps=fps)
    done = export(seq, HEAD, tmp_path / "a.csv", format="livelink")
    codes = [r["Timecode"] for r in csv.DictReader((tmp_path / "a.csv").open())]
    assert codes[nominal] == "00:00:01:00.000" and codes[-1] == f"00:00:02:{nominal - 1:02d}.000"
    assert any(f"--fps {fps:g}" in n for n in done.notes)
    assert len(read(tmp_path / "a.csv", fps=fps).sequence) == len(seq)


def test_expressions_that_fit_say_no_difference(tmp_path: Path) -> None:
    seq = FaceSequence.rest(3, HEAD.ref, n_expr=HEAD.n_expr)
    said = export(seq, HEAD, tmp_path / "a.csv", format="arkit-csv", target="vrm").notes
    assert not any("0.00" in n or "differs" in n for n in said)


def test_a_clip_with_other_columns_is_refused_in_one_line(tmp_path: Path) -> None:
    seq = FaceSequence.rest(3, HEAD.ref, n_expr=10)
    for kind in FORMATS:
        if kind.targets[0] != "flame":
            with pytest.raises(ValueError, match=r"expr has shape \(3, 10\), needed \(T, 41\)"):
                export(seq, HEAD, tmp_path / f"a{kind.suffix}", format=kind.name)
