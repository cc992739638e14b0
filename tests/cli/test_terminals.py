"""Terminals as they are: other locales, bytes that are not UTF-8, escapes, Ctrl-C, and the ways to start the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from facelm.agent.requests import GenerateRequest, transition_request
from facelm.cli.main import main
from facelm.common.text import utf8
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(*argv: str | bytes, cwd: Path, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "facelm", *argv], cwd=cwd, input=given, capture_output=True, timeout=120,
                          env={**os.environ, **environment})


@pytest.fixture()
def clip(tmp_path: Path) -> Path:
    return FaceSequence.rest(30, HeadModel.default().ref).save(tmp_path / "clip.npz")


def refused(done: subprocess.CompletedProcess[bytes]) -> str:
    """One line on stderr, whatever bytes are in it."""
    assert done.returncode == 1 and done.stdout == b"" and done.stderr.count(b"\n") == 1, (done.stdout, done.stderr)
    return done.stderr.decode("utf-8")


def test_python_m_facelm_is_the_command(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(b"facelm ")


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are UTF-16 there")
def test_bytes_that_are_not_utf8_are_told(tmp_path: Path, clip: Path) -> None:
    assert "not UTF-8" in refused(run("check", "clip.npz", b"smile \xe9", cwd=tmp_path))
    assert "not UTF-8" in refused(run("check", "clip.npz", "-", cwd=tmp_path, given=b"smile \xe9"))
    os.rename(clip, bytes(tmp_path / "caf") + b"\xe9.npz")  # a file's name may be any bytes
    assert run("measure", b"caf\xe9.npz", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such locale")
def test_the_c_locale_reads_and_writes_utf8(tmp_path: Path, clip: Path) -> None:
    said = refused(run("check", "clip.npz", "smile caf\u00e9", cwd=tmp_path, **C_LOCALE))
    assert "caf\\xe9" in said and "udc" not in said, said
    said = refused(run("check", "clip.npz", "-", cwd=tmp_path, given="smile caf\u00e9".encode(), **C_LOCALE))
    assert "caf\\xe9" in said, said


def test_texts_of_another_locale_are_what_was_typed() -> None:
    as_ascii = "l\u00e4chle".encode().decode("ascii", "surrogateescape")
    assert utf8(as_ascii) == "l\u00e4chle" and GenerateRequest.of([as_ascii]).prompts[0] == "l\u00e4chle"
    for wrong in (utf8, transition_request, lambda t: GenerateRequest.of([t])):
        with pytest.raises(ValueError, match="not UTF-8"):
            wrong("Turn this face from anger to happiness \udce9")


@pytest.mark.parametrize("text", ["smile \x1b[31mred", "smile \x9b2Jx", "nod \x07 \x08\x08"])
def test_terminal_escapes_are_written_out(text: str, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.txt").write_text(text, encoding="utf-8")
    for argv in (["check", "clip.npz", text], ["check", "clip.npz", "s.txt"], ["read", text, "--weights", "none"],
                 ["measure", text], ["convert", text, "-o", "a.npz"], [text]):
        assert main(argv)
        out, err = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in out + err), (argv, err)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 4.0, 7.0])
def test_ctrl_c_is_one_line_at_any_time(tmp_path: Path, seconds: float) -> None:
    """As the terminal sends it: to the command and to its workers."""
    (tmp_path / "r.yaml").write_text("backend: performer\nclips: 40\n")
    start = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
             "print('python is up', flush=True); from facelm.__main__ import entry; entry()")
    with subprocess.Popen([sys.executable, "-c", start, "data", "build", "r.yaml", "-o", "c", "--workers", "2"], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None and child.stdout.readline()
        time.sleep(seconds + 0.05)
        sent = time.monotonic()
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert time.monotonic() - sent < 10
    assert err.decode().splitlines() == ["facelm: stopped"] and child.returncode == 130, (child.returncode, err.decode())
