"""`facelm demo`, `generate` and `transition`: words to motion."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..agent import tools
from ..agent.requests import (
    GenerateRequest,
    Sampling,
    TransitionSampling,
    output_file,
    output_folder,
    ready,
    transition_request,
)
from ..agent.results import Performance, Result, TransitionReport, fact_lines
from ..agent.tools import Model
from ..agent.transition_curves import check_curve
from .output import FLAT, Out, bars

MODEL, SAMPLING, TRANSITION = Model(), Sampling(), TransitionSampling()

HYPHEN = Parameter(allow_leading_hyphen=True)
DEMO_PROMPT = "She smiles broadly, then nods twice."
BASELINE = "i2fet:"
"""What a baseline's folder follows in ``--method``."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copies:
    """Other files of the same motion."""

    render: str | None = None
    """Render the (first) clip as well: FILE.mp4, .gif or .png."""
    glb: str | None = None
    """Export the (first) clip as animated glTF: FILE.glb."""

    def paths(self) -> list[Path]:
        """The wanted files, checked."""
        return [output_file(path, *suffixes) for path, suffixes in ((self.render, tools.PICTURES), (self.glb, (".glb",))) if path]


@dataclass(frozen=True)
class Demo:
    """What `facelm demo` made."""

    made: Performance
    description: str
    actions: list[str]
    files: list[str]

    def to_dict(self) -> dict[str, object]:
        return {**self.made.to_dict(), "description": self.description, "actions": [a.strip() for a in self.actions],
                "files": self.files}

    def lines(self) -> list[str]:
        clip = self.made.clip
        return [f"prompt:      {self.made.prompt}",
                f"performed:   {clip.seconds:.1f} s at {clip.fps:g} fps, seed {self.made.seed}",
                f"the model describes what it performed:\n  {self.description}",
                "measured on the performance (geometry, no model):", *self.actions, f"written: {', '.join(self.files)}"]


def demo(prompt: str = DEMO_PROMPT, /, *, out: Out = "out/demo", seconds: float | None = None,
         sampling: Annotated[Sampling, FLAT] = SAMPLING, model: Annotated[Model, FLAT] = MODEL) -> Result:
    """Perform a prompt and write clip, picture, video and GLB.

    Args:
        prompt: What the face does.
        out: Folder for the four files.
        seconds: Exact duration (default: the model chooses).
    """
    folder = output_folder(out)
    asked = GenerateRequest.of([prompt], seconds, sampling)
    agent = tools.load_agent(model)
    clip, = agent.perform(asked)
    paths = [folder / n for n in ("clip.npz", "sheet.png", "clip.mp4", "clip.glb")]
    clip.save(ready(paths[0]))
    for path in paths[1:]:
        tools.draw(clip, path, title=prompt, progress=bars(f"drawing {path.name}"))
    made = Performance(paths[0], clip, prompt, sampling.seed)
    return Demo(made, agent.describe(clip), fact_lines(agent.measure(clip)), [str(p) for p in paths])


def generate(text: str | None = None, /, *, out: Out, file: Annotated[str | None, HYPHEN] = None, count: int = 1,
             head: str | None = None, seconds: float | None = None, copies: Annotated[Copies, FLAT] = Copies(),
             sampling: Annotated[Sampling, FLAT] = SAMPLING, model: Annotated[Model, FLAT] = MODEL) -> Iterator[Result]:
    """Words to face motion.

    Args:
        text: What the face does.
        out: The clip, CLIP.npz; a folder with --file.
        file: Prompts, one a line, "-" for stdin; -o is then a folder.
        count: Variations; more than one go to CLIP-0.npz, CLIP-1.npz, ...
        head: Perform on this head, HEAD.npz (default: the packaged one).
        seconds: Exact duration (default: the model chooses).
    """
    if (text is None) == (file is None):
        raise ValueError('give either a text ("She smiles.") or --file PROMPTS.txt')
    prompts = [text] if file is None else read_prompts(file)
    if count < 1:
        raise ValueError(f"--count is {count}; allowed: 1 and more")
    asked = GenerateRequest.of([p for p in prompts for _ in range(count)], seconds, sampling)
    extra = copies.paths()
    if file is not None:
        digits = max(4, len(str(len(asked.prompts) - 1)))
        names = [output_folder(out) / f"{i:0{digits}d}.npz" for i in range(len(asked.prompts))]
    else:
        one = output_file(out, ".npz")
        names = [one] if count == 1 else [one.with_name(f"{one.stem}-{i}.npz") for i in range(count)]
    target = tools.load_head(head)
    made = tools.generate(asked, names, model, target, bars("performing"))
    yield from made
    for path in extra:
        yield tools.draw(made[0].clip, path, title=prompts[0], head=target, progress=bars(f"drawing {path.name}"))


def read_prompts(file: str) -> list[str]:
    """The prompts of a text file, one a line.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: a folder, not text, more than 10 MB, or no prompts.
    """
    path = Path(file)
    if file != "-":
        if path.is_dir():
            raise ValueError(f"{path} is a folder; a text file with one prompt a line is needed")
        if not path.is_file():
            raise FileNotFoundError(f"no such prompt file: {path}")
        if path.stat().st_size > 10_000_000:
            raise ValueError(f"{path} has {path.stat().st_size} bytes; a prompt file is text of at most 10 MB, one prompt a line")
    try:
        text = sys.stdin.read() if file == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as err:
        raise ValueError(f"{path} is not UTF-8 text: {err.reason} at byte {err.start}") from err
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise ValueError(f"{path} holds no prompts; write one a line")
    if any("\x00" in p for p in prompts):
        raise ValueError(f"{path} is not a text file (it holds NUL bytes)")
    return prompts


@dataclass(frozen=True)
class From:
    """What a transition starts from."""

    source: str | None = None
    """The face to start from: CLIP.npz, or a video or picture, which is fitted first (default: the mean face at rest)."""
    at: float | None = None
    """Start from the source's frame at this time, s (default: its last frame)."""
    head: str | None = None
    """The head of the source and of the result, HEAD.npz (default: the packaged one)."""
    face: int | None = None
    """In a video or picture: which face, from the left, 1 first (default: the largest)."""


def transition(instruction: str, /, *, out: Out, start: Annotated[From, FLAT] = From(), seconds: float | None = None,
               via: str | None = None, curve: str | None = None, method: str = "lm", copies: Annotated[Copies, FLAT] = Copies(),
               sampling: Annotated[TransitionSampling, FLAT] = TRANSITION,
               model: Annotated[Model, FLAT] = MODEL) -> Result:
    """A face from one expression to another, as an instruction says.

    Args:
        instruction: For example "Turn this face from anger to happiness".
        out: The clip, CLIP.npz.
        seconds: Exact duration (default: what the instruction says, else the model chooses).
        via: "neutral" puts a neutral face in between.
        curve: The way between the expressions: learned is the model's own, linear the paper's, minjerk minimum-jerk timing with
            rotations on the shortest arc (default: learned; linear for a baseline).
        method: lm, the language model, or i2fet:DIR, the trained baseline in a folder.
    """
    asked = transition_request(instruction, seconds, via)
    baseline = method.startswith(BASELINE)
    curve = check_curve(curve or ("linear" if baseline else "learned"))
    if not baseline and method != "lm":
        raise ValueError(f"--method is {method!r}; allowed: lm, or i2fet:DIR with the folder of a trained baseline")
    if start.at is not None and start.source is None:
        raise ValueError(f"--at is {start.at:g}, but there is no --source; give one, or leave --at out")
    target, extra = output_file(out, ".npz"), copies.paths()
    head = tools.load_head(start.head)
    begin = tools.start(start.source, start.at, head, start.face, bars())
    if baseline:
        from .baseline import trained_transition

        done = trained_transition(method.removeprefix(BASELINE), asked, begin.clip, head, curve, sampling, via)
    else:
        done = tools.transition(asked, begin.clip, model, head, curve, sampling)
    done.clip.save(ready(target))
    for warning in asked.warnings:
        log.warning("%s", warning)
    for path in extra:
        tools.draw(done.clip, path, title=instruction, head=head, progress=bars(f"drawing {path.name}"))
    return TransitionReport(out, instruction, done, begin.place, curve, sampling.seed, method, tuple(str(p) for p in extra))


