"""Children with limits: their lines, their end, and what happens when they crash, hang or grow."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from facelm.common import limited
from facelm.common.text import printable


def test_lines_come_as_they_are_printed() -> None:
    assert [line.strip() for line in limited.lines(["-c", "print('a'); print('b')"], 20)] == ["a", "b"]


@pytest.mark.parametrize("code", ["import os; os.abort()", "raise SystemExit(3)", "print('x'); 1/0"])
def test_a_crash_is_an_error(code: str) -> None:
    with pytest.raises(ChildProcessError, match="exit code"):
        list(limited.lines(["-c", code], 20))


def test_a_hang_ends() -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        list(limited.lines(["-c", "import time; time.sleep(60)"], 1.0))
    assert time.monotonic() - begin < 20


def test_memory_is_bounded() -> None:
    code = (f"import importlib.util as u; s = u.spec_from_file_location('l', {limited.__file__!r}); m = u.module_from_spec(s); "
            "s.loader.exec_module(m); m.limit(1 << 30, 20)\n"
            "try:\n    b'x' * (3 << 30)\nexcept MemoryError:\n    print('bounded')")
    assert [line.strip() for line in limited.lines(["-c", code], 20)] == ["bounded"]


def test_a_caller_that_stops_ends_the_child() -> None:
    begin = time.monotonic()
    child = limited.lines(["-c", "import time\nfor _ in range(100): print(1, flush=True); time.sleep(1)"], 100)
    assert next(child).strip() == "1"
    child.close()
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(("text", "shown"), [("plain é 字", "plain é 字"), ("a\x1b[31mb", "a\\x1b[31mb"), ("a\nb\tc", "a\nb\tc"),
                                             ("\x07\u202e", "\\x07\\u202e"), ("\udc80", "\\udc80")])
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_in_pieces_is_given_back() -> None:
    work = ("from facelm.common.limited import give_back\n"
            "def held(): return next(int(x.split()[1]) for x in open('/proc/self/status') if x.startswith('RssAnon')) / 1024\n"
            "pieces = [bytearray(20_000) for _ in range(5_000)]\n"
            "kept, full = pieces[::50], held()\n"
            "del pieces\n"
            "before = held()\n"
            "print(give_back(), full - before, before - held())")
    said, freed, given = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True,
                                        timeout=60).stdout.split()
    if said == "False":
        pytest.skip("not glibc")
    assert float(freed) < 20 < 60 < float(given)
