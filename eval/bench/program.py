"""A program of somebody else's as a system: prompts as JSON lines on its standard input, clips in a folder."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...common.files import naming
from ...common.text import one_line
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.io.convert.recognise import read

SECONDS = 3600.0
"""A batch may take so long."""


class Program:
    """A program, called as ``CMD FOLDER``.

    It reads lines ``{"id": "0", "text": ..., "seconds": ... or null, "seed": ...}`` until its input ends, and writes for each a
    clip named after its id into the folder: a facelm clip, or any form that ``facelm convert`` reads.

    Args:
        command: the program and its arguments, as on a command line; no shell runs it.
        head: of the clips.
        name: as the tables call it; the program's file name when empty.
        seconds: a batch that takes longer is stopped.

    Raises:
        ValueError: no command.
        FileNotFoundError: no such program.
    """

    def __init__(self, command: str, head: HeadModel, name: str = "", seconds: float = SECONDS) -> None:
        try:
            self.arguments = shlex.split(command)
        except ValueError as err:
            raise ValueError(f"--model is {command!r}: {err}") from None
        if not self.arguments:
            raise ValueError("--model is empty; give a program that reads prompts as JSON lines and writes clips to a folder")
        if shutil.which(self.arguments[0]) is None:
            raise FileNotFoundError(f"--model: no program {self.arguments[0]}")
        self.head, self.seconds = head, seconds
        self.name = name or Path(self.arguments[-1] if len(self.arguments) > 1 else self.arguments[0]).stem

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """Run it once for all texts.

        Raises:
            ValueError: it failed, or a clip is missing or damaged; the benchmark then asks for each text alone.
        """
        lines = [json.dumps({"id": str(i), "text": t, "seconds": s, "seed": seed + i})
                 for i, (t, s) in enumerate(zip(texts, seconds, strict=True))]
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = subprocess.run([*self.arguments, folder], input="\n".join(lines) + "\n", capture_output=True, text=True,
                                      timeout=self.seconds, check=False, errors="replace")
            except subprocess.TimeoutExpired:
                raise ValueError(f"{self.name} took longer than {self.seconds:g} s for {len(texts)} prompts") from None
            if done.returncode:
                raise ValueError(f"{self.name} ended with code {done.returncode}: {one_line(done.stderr[-300:])}")
            return [self._clip(Path(folder), str(i)) for i in range(len(texts))]

    def _clip(self, folder: Path, name: str) -> FaceSequence:
        found = sorted(p for p in folder.iterdir() if p.name == name or p.stem == name)
        if not found:
            raise ValueError(f"{self.name} wrote no clip {name} (allowed: {name}.npz, {name}.csv, {name}.json ...)")
        path = found[0]
        try:
            with naming(self.name):
                return FaceSequence.load(path, self.head.ref)
        except ValueError:
            return read(path, self.head).sequence
