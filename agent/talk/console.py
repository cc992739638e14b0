"""What a terminal has and a pipe has not: answers written word by word, colours, a sign of work, history and completion."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory

HISTORY = "history.txt"
"""File of a session's folder with the lines that were typed."""
_WORD, _MOST = 0.015, 0.8
"""Seconds for a word, and for a whole answer."""
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PATIENCE, _TICK = 0.3, 0.1
_CODES = {"red": "31", "cyan": "36", "dim": "2"}
Colour = Literal["", "red", "cyan", "dim"]


class Console:
    """Where answers go."""

    def __init__(self, sink: TextIO, plain: bool = False) -> None:
        """Write to ``sink``; ``plain`` leaves out what only a terminal shows, also on one."""
        self.sink = sink
        self.live = not plain and sink.isatty()
        self.coloured = self.live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def paint(self, text: str, colour: Colour) -> str:
        """A text in a colour, where there are colours."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.coloured and colour else text

    def write(self, text: str, colour: Colour = "") -> None:
        """Write an answer: on a terminal word by word, else at once."""
        if not self.live:
            print(text, file=self.sink, flush=True)
            return
        words = re.findall(r"\s*\S+|\s+$", text)
        pause = min(_WORD, _MOST / max(len(words), 1))
        self.sink.write(f"\x1b[{_CODES[colour]}m" if self.coloured and colour else "")
        for word in words:
            self.sink.write(word)
            self.sink.flush()
            time.sleep(pause)
        self.sink.write("\x1b[0m\n" if self.coloured and colour else "\n")
        self.sink.flush()

    @contextmanager
    def working(self) -> Iterator[None]:
        """A sign of work with the seconds so far, on a terminal and where it takes a while; gone when it is done."""
        if not self.live:
            yield
            return
        over = threading.Event()

        def turn() -> None:
            began, shown = time.monotonic(), 0
            while not over.wait(_TICK if shown else _PATIENCE):
                self.sink.write(f"\r{_FRAMES[shown % len(_FRAMES)]} {time.monotonic() - began:.0f} s")
                self.sink.flush()
                shown += 1
            if shown:
                self.sink.write("\r\x1b[K")
                self.sink.flush()

        sign = threading.Thread(target=turn, daemon=True)
        sign.start()
        try:
            yield
        finally:
            over.set()
            sign.join()


class Words(Completer):
    """Completes slash commands at the beginning of a line, and clips' names after them and in what is said."""

    def __init__(self, commands: Iterable[str], names: Callable[[], Iterable[str]]) -> None:
        """``names`` says which clips there are now."""
        self.commands, self.names = tuple(commands), names

    def get_completions(self, document: Document, complete_event: object) -> Iterable[Completion]:
        """Completions of what stands before the cursor."""
        before = document.text_before_cursor
        if before.startswith("/") and " " not in before:
            yield from (Completion(c, -len(before)) for c in self.commands if c.startswith(before))
            return
        for name in self.names():
            for size in range(min(len(name), len(before)), 0, -1):
                start = len(before) - size
                if name.lower().startswith(before[start:].lower()) and (start == 0 or before[start - 1] == " "):
                    if size < len(name):
                        yield Completion(name, -size)
                    break


def typed(folder: Path, words: Completer) -> Callable[[], str | None]:
    """Reads lines that somebody types, with the history in a session's folder; None at the end."""
    prompts: PromptSession[str] = PromptSession(history=FileHistory(str(folder / HISTORY)), completer=words,
                                                complete_while_typing=False)

    def read() -> str | None:
        try:
            return str(prompts.prompt("> "))
        except (EOFError, KeyboardInterrupt):
            return None

    return read


def typing(source: TextIO) -> bool:
    """Whether somebody types what ``source`` reads, and sees what is written."""
    return source is sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()
