"""Children with limits: their lines, their end, and what happens when they crash, hang or grow."""

from __future__ import annotations

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
