"""Fixtures of the command-line tests: a folder for each test, good inputs, and a command that must fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from facelm.agent import script_tools, tools
from facelm.cli.main import main
from facelm.data_gen.corpus.synth import synth
from facelm.face.clip.sequence import FaceSequence
from inputs import Bomb
from tiny_agent import write_base, write_weights

Refuse = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]


def tree(folder: Path) -> dict[str, int]:
    """Everything in a folder, with sizes."""
    return {str(p.relative_to(folder)): p.stat().st_size if p.is_file() else -1 for p in folder.rglob("*")}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path.parent / "cache"))
    for name in ("FACELM_WEIGHTS", "FACELM_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture()
def refuse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refuse:
    """Run a command that must fail: one line, the wanted exit code, nothing printed, nothing written."""

    def run(*argv: object, wanted: int = 1) -> str:
        before = tree(tmp_path)
        code = main([str(a) for a in argv])
        out, err = capsys.readouterr()
        assert code == wanted, (argv, out, err)
        names = tuple(f"facelm {' '.join(map(str, argv[:n]))}: " for n in (1, 2))
        assert err.startswith(names) and err.endswith("\n") and err.count("\n") == 1, (argv, err)
        assert 20 < len(err) < 1200 and "Traceback" not in err and out == "", (argv, err, out)
        assert tree(tmp_path) == before, argv
        return err

    return run


@pytest.fixture()
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: object) -> None:
        raise AssertionError("the language model was loaded before the input was checked")

    for module in (tools, script_tools):
        monkeypatch.setattr(module, "load_agent", load)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, clips: list[FaceSequence]) -> Path:
    """Good inputs: clip.npz, w/ (weights), base/, corpus/, recipes."""
    folder = tmp_path_factory.mktemp("files")
    clips[0].save(folder / "clip.npz")
    write_weights(folder / "w", clips)
    write_base(folder / "base")
    synth(40, folder / "corpus", progress=False)
    (folder / "tok.yaml").write_text("model: {hidden: 8}\ntrain: {steps: 1, clips: 4}\n")
    (folder / "lm.yaml").write_text("run: {max_steps: 1, max_minutes: 0}\n")
    return folder


def bomb(folder: Path) -> Bomb:
    out = Bomb()
    out.path = str(folder / "exploded")
    return out
