"""Avatars from photographs, by the command line: the astronaut (public domain) and made-up persons of films."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
from facelm.cli.main import main
from facelm.data_gen.avatar.from_photos import MARK, build_avatar
from facelm.face.head.model import HeadModel
from photos import astronaut
from PIL import Image
from shared_data import shared


def test_an_avatar_from_one_photo(tmp_path, capsys):
    out, preview = tmp_path / "me.avatar", tmp_path / "me.png"
    words = ["--preview", str(preview), "--consent", "NASA", "--json"]
    assert main(["avatar", "build", str(astronaut()), "-o", str(out), *words]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["quality"]["skin_difference"] <= 2.2 and said["quality"]["seam_ratio"] <= 1.3 and said["consent"] == "NASA"
    assert said["sources"][0]["name"] == "astronaut.png" and len(said["sources"][0]["sha256"]) == 64
    picture = Image.open(preview)
    assert picture.info["Description"] == MARK and picture.size == (5 * 384, 384)
    head = HeadModel.load(out)
    blond, skin = (np.median(head.texture[area].reshape(-1, 3), 0) for area in (np.s_[60:200, 60:200], np.s_[380:420, 480:540]))
    assert skin[0] > 170 > 150 > blond[0] > blond[2]  # hair at the back, in the hair's colour
    assert main(["avatar", "show", str(out)]) == 0 and "consent: NASA" in capsys.readouterr().out
    clip = tmp_path / "smile.npz"
    assert main(["perform", "smile", "-o", str(clip)]) == 0
    for name in ("smile.mp4", "smile.glb", "smile.gif"):
        assert main(["render", str(clip), "--head", str(out), "-o", str(tmp_path / name)]) == 0
    with av.open(str(tmp_path / "smile.mp4")) as film:
        assert film.metadata["comment"] == MARK
    assert Image.open(tmp_path / "smile.gif").info["comment"].decode() == MARK
    assert main(["render", str(clip), "--head", str(out), "-o", str(tmp_path / "said.gif"), "--mark"]) == 0
    plain, said = (np.asarray(Image.open(tmp_path / n).convert("RGB")).astype(int) for n in ("smile.gif", "said.gif"))
    differs = np.abs(plain - said).max(-1) > 60
    assert differs[-40:, 160:].mean() > 0.03 > 5 * differs[:-60].mean()  # palettes differ a little everywhere


@pytest.mark.parametrize("name", ["blink", "disappointed"])
def test_avatars_of_made_up_persons(name, tmp_path):
    film = shared(f"t2v/{name}.mp4")
    if film is None:
        pytest.skip("the shared films are not there")
    pytest.importorskip("mediapipe")
    with av.open(str(film)) as opened:
        frame = [f for k, f in enumerate(opened.decode(video=0)) if k in (100, 101)][0]
    frame.to_image().save(tmp_path / "a.png")
    quality = build_avatar(tmp_path / "a.png").about["quality"]
    assert quality["skin_difference"] <= 2 and quality["seam_ratio"] <= 1.3


def test_a_segmenter_of_ones_own(tmp_path):
    asked = []

    def nobody(rgb: np.ndarray) -> np.ndarray:
        asked.append(rgb.shape)
        return np.ones(rgb.shape[:2], np.float32)

    build_avatar(astronaut(), texture=256, segmenter=nobody)
    assert asked == [(512, 512, 3)]
    with pytest.raises(ValueError, match="mask of shape"):
        build_avatar(astronaut(), texture=256, segmenter=lambda rgb: np.ones((3, 3), np.float32))
