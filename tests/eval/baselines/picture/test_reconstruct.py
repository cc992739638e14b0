"""Pictures to poses of one person: by this project's fit, and by files of other programs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from facelm.eval.baselines.picture.reconstruct import FitReconstructor, ReadReconstructor
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.flame import import_head
from flame_files import export_flame_layout
from photos import astronaut, pixels


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    folder = tmp_path_factory.mktemp("flame")
    files = export_flame_layout(HeadModel.default(), folder / "flame.pkl")
    return import_head(files.model, files.landmarks)


@pytest.mark.parametrize(("program", "names"), [
    ("DECA", ("exp", "pose", "shape")), ("EMOCA", ("expcode", "posecode", "shapecode")),
    ("SMIRK", ("expression_params", "", "shape_params"))])
def test_identity_is_the_neutral_pictures(tmp_path: Path, flame: HeadModel, program: str, names: tuple[str, str, str]) -> None:
    rng, expression, pose, shape = np.random.default_rng(0), *names
    content = {}
    for name in ("neutral", "happy"):
        content[name] = {expression: rng.normal(0, 0.3, (1, 50)).astype(np.float32),
                         shape: rng.normal(0, 0.5, (1, 100)).astype(np.float32)}
        turn = rng.normal(0, 0.1, (1, 6)).astype(np.float32)
        content[name] |= {pose: turn} if pose else {"pose_params": turn[:, :3], "jaw_params": turn[:, 3:]}
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(content[name]))
    read = ReadReconstructor(tmp_path, "neutral", flame)
    done = read(None, "happy")
    assert len(done) == 1 and np.allclose(done.shape[:100], content["neutral"][shape][0])
    assert np.allclose(done.expr[0, :50], content["happy"][expression][0])
    assert not np.allclose(done.expr, read(None, "neutral").expr)
    with pytest.raises(FileNotFoundError, match="nothing for the picture 'sad'"):
        read(None, "sad")


@pytest.mark.slow
def test_a_fit_of_another_picture_is_put_on_the_neutral_persons_head() -> None:
    rgb = pixels(astronaut())
    made = FitReconstructor(rgb)
    pose = made(np.ascontiguousarray(rgb[:, ::-1]))
    assert pose.head == made.head.ref and len(pose) == 1 and not pose.shape.any()
    left, right = (made.head.expr_names.index(f"mouthSmile{side}") for side in ("Left", "Right"))
    own = made(rgb)
    assert own.expr[0, left] > 0.2 and pose.expr[0, right] > 0.2, "she smiles"
    assert made.head.sequence_vertices(pose).shape[1] == made.head.n_vertices
