"""The conversation on a terminal (a pseudo-terminal), and what of it a pipe does not get."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from facelm.agent.talk.console import HISTORY, Console, Words
from prompt_toolkit.document import Document
from scripted_agent import needs_tokenizer

_CHAT = """
import sys, time
from functools import wraps
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.terminal import loop
from scripted_agent import rule_agent
agent = Agent(sys.argv[1], rule_agent(), Sampling(idle=False))
told = agent.tools.describe
@wraps(told)
def slowly(**a):
    time.sleep(0.8)
    return told(**a)
agent.tools.describe = slowly
print("ready", flush=True)
loop(agent, sys.stdin, sys.stdout)
"""
_ENV = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2] / "support/models"), os.environ.get("PYTHONPATH", "")]),
    "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm-256color"}


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.main, other = pty.openpty()
        self.process = subprocess.Popen([sys.executable, "-c", _CHAT, str(folder)], stdin=other, stdout=other, stderr=other,
                                        env=env, start_new_session=True)
        os.close(other)
        self.text, self.pieces = "", 0

    def until(self, words: str, seconds: float = 60.0) -> str:
        """What is written until some words are there; then gone from what is looked at next."""
        ends = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < ends, f"never {words!r}: {self.text!r}"
            if select.select([self.main], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.main, 65536).decode(errors="replace")
                except OSError:  # it has ended
                    assert words in self.text, self.text
                self.pieces += 1
        at = self.text.index(words) + len(words)
        said, self.text = self.text[:at], self.text[at:]
        return said

    def type(self, keys: str, completed: str = "") -> None:
        """Type a line at the next prompt, when it is there; with Tab, when it is ``completed``."""
        self.until("\x1b[?2004h")
        os.write(self.main, keys.encode())
        if completed:
            self.until(completed)
        os.write(self.main, b"\r")


@needs_tokenizer
@pytest.mark.parametrize("coloured", [True, False])
def test_a_terminal_streams_completes_and_remembers(tmp_path: Path, coloured: bool) -> None:
    term = Terminal(tmp_path, _ENV if coloured else _ENV | {"NO_COLOR": "1"})
    try:
        term.until("/quit             leave")
        term.type("She smiles, then nods twice.")
        term.until("Smiles, then")
        pieces = term.pieces
        term.until("nods twice.")
        assert term.pieces > pieces, "the answer came at once"
        bar = term.until("| 4.2 s\x1b[0m" if coloured else "| 4.2 s", 30)
        assert ("\x1b[36m" in bar) == coloured and "|" in bar
        term.type("call it winky")
        term.until("is called winky")
        term.type("/desc\t", "/describe")
        said = term.until("Smiles, then nods twice.")
        assert "⠋" in said and "\r\x1b[K" in said, "no sign of work"
        term.type("go back to win\t", "ky")
        assert ("\x1b[31m" in term.until("At hand: winky")) is False
        term.type("\x1b[A\x1b[A\x1b[A", "winky")  # what was typed three lines before
        term.until("is called winky")
        term.type("/quit")
        assert term.process.wait(30) == 0
    finally:
        term.process.kill()
        os.close(term.main)
    lines = re.findall(r"^\+(.*)$", (tmp_path / HISTORY).read_text(), re.MULTILINE)
    assert lines == ["She smiles, then nods twice.", "call it winky", "/describe", "go back to winky", "call it winky", "/quit"]


@needs_tokenizer
def test_a_pipe_gets_plain_text_at_once(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _CHAT, str(tmp_path)], input="a smile\n/describe\norder me a pizza\n/quit\n",
                          capture_output=True, text=True, env=_ENV, timeout=120, check=True)
    assert "\x1b" not in done.stdout and "⠋" not in done.stdout and "Smiles." in done.stdout and "  0 s |" in done.stdout
    assert not (tmp_path / HISTORY).exists()


def test_writing_to_no_terminal_takes_no_time() -> None:
    sink = io.StringIO()
    began = time.monotonic()
    Console(sink).write("word " * 2000, "red")
    with Console(sink).working():
        pass
    assert time.monotonic() - began < 0.1 and sink.getvalue() == "word " * 2000 + "\n"


@pytest.mark.parametrize(("before", "after"), [
    ("/un", ["/undo"]), ("/", ["/undo", "/compare"]), ("/compare win", ["winky"]), ("show me WI", ["winky"]),
    ("go to clip", ["clip 2"]),
    ("go to cl", ["clip 2"]), ("unwin", []), ("winky", []), ("", [])])
def test_words_are_completed(before: str, after: list[str]) -> None:
    words = Words(("/undo", "/compare"), lambda: ["winky", "clip 2"])
    assert [c.text for c in words.get_completions(Document(before), None)] == after
