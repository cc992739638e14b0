"""Express4D's folder as distributed: recordings, sentences, splits; what is wrong with one is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.eval.baselines.motion.config import DataConfig
from facelm.eval.baselines.motion.data import Clips
from facelm.eval.datasets.corpora import open_corpus
from facelm.eval.datasets.express4d import is_express4d, iter_express4d, load_express4d
from facelm.eval.datasets.validate import validate
from facelm.face.clip.channels import ARKIT_52
from facelm.face.facs.measure import measure
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.face.io.convert.arkit import weights
from facelm.face.io.convert.shapes.orders import ANGLES, LIVELINK_52
from scipy.spatial.transform import Rotation

HEAD = HeadModel.default()


def recording(line: str) -> np.ndarray:
    """(T, 61) of what Live Link Face would have recorded of a performance, 60 frames a second."""
    clip = perform(lay_out(read_script(line)), HEAD).resample(60.0)
    shapes = weights(clip, HEAD)[:, [ARKIT_52.index(n) for n in LIVELINK_52]]
    turn = Rotation.from_rotvec(clip.neck_pose).as_euler("YXZ") * [-1, 1, -1]
    return np.concatenate([shapes, turn, np.zeros((len(clip), 6))], 1).astype(np.float32)


def as_csv(path: Path, values: np.ndarray) -> None:
    lines = [",".join(["Timecode", "BlendshapeCount", *(n[0].upper() + n[1:] for n in LIVELINK_52), *ANGLES])]
    lines += [",".join([f"10:00:{t // 60:02d}:{t % 60:02d}.000", "61", *(f"{x:.6f}" for x in row)])
              for t, row in enumerate(values)]
    path.write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "Express4D"
    for inner in ("data", "texts"):
        (root / inner).mkdir(parents=True)
    takes = {"MySlate_1_iPhone_cal": ("smile; nod x2", "Smile, then nod twice#smile/VERB nod/VERB"),
             "MySlate_2_iPhone_cal": ("brow_raise", "Lift your brows#lift/VERB\nRaise your eyebrows#raise/VERB\n"),
             "MySlate_3_iPhone_cal": ("mouth_open", "Open your mouth")}
    for name, (line, text) in takes.items():
        as_csv(root / "data" / f"{name}.csv", recording(line))
        (root / "texts" / f"{name}.txt").write_text(text)
    (root / "train.txt").write_text("MySlate_2_iPhone_cal\nMySlate_1_iPhone_cal")
    (root / "test.txt").write_text("MySlate_3_iPhone_cal\n")
    return root


def test_recordings_come_with_their_sentences_and_motion(folder: Path) -> None:
    assert is_express4d(folder) and not is_express4d(folder / "data")
    rows = list(iter_express4d(folder, "train"))
    assert [(r["clip_id"], r["captions"]) for r in rows] == [
        ("MySlate_2_iPhone_cal", ["Lift your brows", "Raise your eyebrows"]),
        ("MySlate_1_iPhone_cal", ["Smile, then nod twice"])]
    clip = load_express4d(rows[1], folder)
    assert clip.fps == 25.0 and clip.head == HEAD.ref and not clip.rotation.any()
    found = measure(clip, HEAD)
    assert found.names == ("smile", "nod") and found.of("nod")[0].cycles == 2
    matrix = folder / "data" / "MySlate_1_iPhone_cal.npy"
    np.save(matrix, recording("smile; nod x2"))
    matrix.with_suffix(".csv").unlink()
    again = load_express4d(rows[1], folder)
    assert again.fps == 25.0 and np.abs(again.expr - clip.expr).max() < 1e-3
    assert np.abs(again.neck_pose - clip.neck_pose).max() < 1e-3


def test_peers_read_it_as_they_read_a_corpus(folder: Path) -> None:
    clips = Clips.read(folder, "train", DataConfig())
    assert clips.sentences == ("Lift your brows", "Raise your eyebrows", "Smile, then nod twice")
    assert clips.captions == ((0, 1), (2,)) and len(clips.length) == 2
    assert open_corpus(folder).splits == ("train", "test")


def test_its_faults_are_told(folder: Path) -> None:
    assert validate(folder).ok
    (folder / "texts/MySlate_2_iPhone_cal.txt").unlink()
    (folder / "texts/MySlate_3_iPhone_cal.txt").write_text("smile, then NOD twice#x/X")
    as_csv(folder / "data/MySlate_3_iPhone_cal.csv", recording("smile; nod x2"))
    (folder / "train.txt").write_text("MySlate_2_iPhone_cal\nMySlate_1_iPhone_cal\nMySlate_9_iPhone_cal")
    found = validate(folder)
    assert found.clips == {"train": 3, "test": 1} and found.counts == {"no text": 2, "damaged": 1, "leak": 2}
    assert "there is no recording" in found.found["damaged"][0] and "MySlate_9_iPhone_cal.csv" in found.found["damaged"][0]
    (folder / "test.txt").write_text("../secret")
    with pytest.raises(ValueError, match=r"test.txt has '../secret'; allowed: the name of a file of"):
        list(iter_express4d(folder, "test"))
    with pytest.raises(ValueError, match="split is 'val'; Express4D has train and test"):
        list(iter_express4d(folder, "val"))
    (folder / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="test.txt"):
        validate(folder)
