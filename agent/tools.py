"""Everything that the agent can do with its language model, as typed functions: files and words in, files and results out.

Together with the other ``*_tools``, ``measuring``, ``exchange``, ``photo/``, ``avatar/`` and ``server/serve.py`` this is what the
agent can do; the command line, the conversation and servers are thin over it. Each tool checks what it is given before the
language model is loaded.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..common.progress import silent
from ..common.text import counted
from ..data_gen.wording.telling import Detail, Style
from ..face.clip.normalise import is_real
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure as measure_clip
from ..face.head.model import HeadModel
from .file_tools import carry, draw, load_head
from .loading import load_agent
from .measuring import fact_lines
from .motion.curves import check_curve
from .options import (
    COPIES,
    HIDDEN,
    MODEL,
    READING,
    SAMPLING,
    START,
    TRANSITION,
    CopiesOptions,
    Hook,
    ModelOptions,
    Out,
    ReadingOptions,
    Result,
    SamplingOptions,
    StartOptions,
    TransitionSamplingOptions,
    Watch,
)
from .requests import (
    GenerateRequest,
    Question,
    Seconds,
    not_over_its_input,
    output_file,
    output_folder,
    parsed,
    ready,
    transition_request,
)
from .script_tools import about, given_prompts, performed

if TYPE_CHECKING:
    from .media import Loaded
    from .motion.transition import Transition
    from .talk.agent import Agent

log = logging.getLogger(__name__)
DEMO_PROMPT = "She smiles broadly, then nods twice."
BASELINE = "i2fet:"
"""What a baseline's folder follows as a method of transitions."""


# -- words to motion ----------------------------------------------------------------------
def demo(prompt: str = DEMO_PROMPT, /, *, out: Out = "out/demo", seconds: float | None = None,
         sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL, progress: Watch = silent) -> Result:
    """Perform a prompt and write clip, picture, video and GLB.

    Args:
        prompt: What the face does.
        out: Folder for the four files.
        seconds: Exact duration (default: what the text says, else what it takes).
    """
    paths = [output_folder(out) / name for name in ("clip.npz", "sheet.png", "clip.mp4", "clip.glb")]
    asked = GenerateRequest.of([prompt], seconds, sampling)
    agent = load_agent(model)
    made, = agent.perform(asked)
    clip = made.clip
    made.save(ready(paths[0]))
    for path in paths[1:]:
        draw(clip, path, title=prompt, progress=progress)
    said, measured = agent.describe(clip), agent.measure(clip)
    facts = about(clip, paths[0], seed=sampling.seed, description=said, actions=measured.names,
                   files=[str(p) for p in paths], **made.to_dict())
    text = [f"prompt:      {prompt}", *made.lines(),
            f"performed:   {clip.seconds:.1f} s at {clip.fps:g} fps, seed {sampling.seed}",
            f"in words:    {said}", "measured on the performance:",
            *fact_lines(measured), f"written: {', '.join(facts['files'])}"]
    return Result(facts, "\n".join(text), clip)


def generate(text: str | None = None, /, *, out: Out, file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
             count: int = 1, head: str | None = None, seconds: float | None = None, script: bool = False, strict: bool = False,
             copies: CopiesOptions = COPIES, sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL,
             progress: Watch = silent) -> Iterator[Result]:
    """Words to face motion, checked by measurement.

    Args:
        text: What the face does.
        out: The clip, CLIP.npz; a folder with --file.
        file: Prompts, one a line, "-" for stdin; -o is then a folder.
        count: Variations; more than one go to CLIP-0.npz, CLIP-1.npz, ...
        head: Perform on this head, HEAD.npz (default: the packaged one).
        seconds: Exact duration (default: what the text says, else what it takes).
        script: Print the script that the text was read as, with its checks.
        strict: Fail where the clip does not show everything that was asked.
    """
    if count < 1:
        raise ValueError(f"--count is {count}; allowed: 1 and more")
    asked = given_prompts(text, file, seconds, sampling, times=count)
    extra = copies.paths()
    if file is not None:
        digits = max(4, len(str(len(asked.prompts) - 1)))
        names = [output_folder(out) / f"{i:0{digits}d}.npz" for i in range(len(asked.prompts))]
    else:
        one = output_file(out, ".npz")
        names = [one] if count == 1 else [one.with_name(f"{one.stem}-{i}.npz") for i in range(count)]
    target = load_head(head)
    to = carry(HeadModel.default(), target)
    made = load_agent(model).perform(asked, progress=progress)
    clips = [to(p.clip) for p in made]
    for i, (path, prompt, clip) in enumerate(zip(names, asked.prompts, clips, strict=True)):
        yield performed(made[i], clip, path, sampling.seed + i, prompt, script, strict)
    for path in extra:
        yield draw(clips[0], path, title=asked.prompts[0], head=target, progress=progress)


def transition(instruction: str, /, *, out: Out, start: StartOptions = START, seconds: float | None = None,
               via: str | None = None, curve: str | None = None, method: str = "lm", copies: CopiesOptions = COPIES,
               sampling: TransitionSamplingOptions = TRANSITION, model: ModelOptions = MODEL, progress: Watch = silent,
               baseline: Hook | None = None) -> Result:
    """A face from one expression to another, as an instruction says.

    Args:
        instruction: For example "Turn this face from anger to happiness".
        out: The clip, CLIP.npz.
        seconds: Exact duration (default: what the instruction says, else what it takes).
        via: "neutral" puts a neutral face in between.
        curve: The way between the expressions: learned, linear or minjerk (default: learned; linear for a baseline).
        method: lm, read and performed by facelm, or i2fet:DIR, the trained baseline in a folder.
        baseline: Carries out a transition by the method i2fet; see cli/baseline.py.
    """
    asked = transition_request(instruction, seconds, via)
    by_baseline = baseline is not None and method.startswith(BASELINE)
    curve = check_curve(curve or ("linear" if by_baseline else "learned"))
    if not by_baseline and method != "lm":
        raise ValueError(f"--method is {method!r}; allowed: lm, or i2fet:DIR with the folder of a trained baseline")
    if start.at is not None and start.source is None:
        raise ValueError(f"--at is {start.at:g}, but there is no --source; give one, or leave --at out")
    target, extra = output_file(out, ".npz"), copies.paths()
    for path in (target, *extra) if start.source is not None else ():
        not_over_its_input(path, start.source or "")
    head = load_head(start.head)
    source, place = None, "the face at rest"
    if start.source is not None:
        from .media import read, start_frame

        source, place = start_frame(start.source, start.at, read(start.source, head, start.face, progress))
    if baseline is not None and by_baseline:
        done: Transition = baseline(method.removeprefix(BASELINE), asked, source, head, curve, sampling, via)
    else:
        from .motion.transition import on_other_head

        there, back = carry(head, HeadModel.default()), carry(HeadModel.default(), head)
        given = source if source is None else there(source)
        done, = load_agent(model).carry_out([asked], [given], sampling, curve)
        if head.ref != HeadModel.default().ref:
            done = on_other_head(done, back(done.clip), None if source is None else source.slice(len(source) - 1))
    clip = done.clip
    clip.save(ready(target))
    for warning in asked.warnings:
        log.warning("%s", warning)
    for path in extra:
        draw(clip, path, title=instruction, head=head, progress=progress)
    reached = [{"name": n, "frame": k, "seconds": k / clip.fps} for n, k in zip(done.names, done.keys, strict=True)]
    facts = about(clip, out, instruction=instruction, model=method, source=place, curve=curve, seed=sampling.seed,
                   warnings=list(done.warnings), expressions=reached, files=[str(p) for p in extra])
    said = ", ".join(f"{r['name']} at {r['seconds']:.2f} s" for r in reached)
    first = f"{target}: {clip.seconds:.2f} s, {counted(len(clip), 'frame')}: {said}; {curve} curve, from {place}"
    return Result(facts, "\n".join([first, *facts["files"]]), clip)


# -- motion to words ----------------------------------------------------------------------
def describe(clips: list[str], /, *, ask: str | None = None, style: Style = "plain", detail: Detail = "brief",
             reading: ReadingOptions = READING, model: ModelOptions = MODEL, progress: Watch = silent) -> Iterator[Result]:
    """Face motion to words.

    Args:
        clips: CLIP.npz, or videos and pictures, which are fitted first.
        ask: Answer this question instead.
        style: Sentences; lines with times; FACS codes; instructions to an actor; or a few words.
        detail: full tells durations, faint and minor actions, and what is not sure, as well.
    """
    question = parsed(Question, ask) if ask is not None else None
    files = read_for_model(clips, reading, progress)
    agent = load_agent(model)
    if question is not None:
        for path, loaded in zip(clips, files, strict=True):
            query, found = agent.answered(loaded.measured or loaded.parts[0].clip, question)
            yield Result({"clip": path, "question": question, "answer": found.text, "value": found.value,
                          "query": query.to_dict() if query else None}, ": ".join([path] * (len(clips) > 1) + [found.text]))
        return
    parts = [(path, part, len(loaded.parts) > 1) for path, loaded in zip(clips, files, strict=True) for part in loaded.parts]
    told = agent.describe_many([part.shown for _, part, _ in parts], style=style, detail=detail)
    for (path, part, several), text in zip(parts, told, strict=True):
        times = {"start": part.start, "end": part.end} if several else {}
        words = [path] * (len(clips) > 1) + [part.label] * several + [text]
        yield Result({"clip": path, **times, "description": text}, ": ".join(words))


def ask(clips: list[str], question: str, reading: ReadingOptions = READING, model: ModelOptions = MODEL) -> Iterator[Result]:
    """The model's answers to a question about clips."""
    return describe(clips, ask=question, reading=reading, model=model)


def compare(first: str, second: str, /, *, picture: str | None = None, reading: ReadingOptions = READING,
            progress: Watch = silent) -> Iterator[Result]:
    """What two clips show, and where they differ: presence, count, side, strength, start, duration.

    Args:
        first: CLIP.npz, a video or a picture.
        second: The other one.
        picture: Contact sheets of both, one above the other: BOTH.png.
    """
    from ..face.facs.evidence.compare import differences
    from .media import read

    target = output_file(picture, ".png") if picture else None
    for path in (first, second) if target else ():
        not_over_its_input(target, path, "--picture")  # type: ignore[arg-type]
    head = load_head(reading.head)
    loaded = [read(path, head, reading.face, progress) for path in (first, second)]
    facts = [x.measured or measure_clip(x.seq, head, filmed=is_real(x.seq)) for x in loaded]
    rows = differences(*facts)
    told = [f"{first} against {second}:", *(f"  {d.text}" for d in rows)] if rows else [f"{first} and {second} show the same"]
    yield Result({"first": facts[0].to_dict(first), "second": facts[1].to_dict(second),
                  "differences": [d.to_dict() for d in rows]}, "\n".join(told))
    if target is not None:
        yield _both(target, (first, second), [x.shots[0].clip if x.shots else x.seq for x in loaded], head, progress)


def _both(target: Path, names: tuple[str, str], clips: list[FaceSequence], head: HeadModel, progress: Watch) -> Result:
    """Contact sheets one above the other."""
    from tempfile import TemporaryDirectory

    from PIL import Image

    with TemporaryDirectory() as folder:
        sheets = []
        for k, (name, clip) in enumerate(zip(names, clips, strict=True)):
            draw(clip, Path(folder) / f"{k}.png", title=Path(name).name, head=head, progress=progress)
            with Image.open(Path(folder) / f"{k}.png") as sheet:
                sheets.append(sheet.convert("RGB"))
        out = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), (20, 20, 20))
        top = 0
        for one in sheets:
            out.paste(one, (0, top))
            top += one.height
        out.save(ready(target))
    return Result({"picture": str(target)}, str(target))


def read_for_model(paths: list[str], reading: ReadingOptions = READING, progress: Watch = silent) -> list[Loaded]:
    """Files on the default head, which the language model reads.

    Raises:
        ValueError: naming the first file that it cannot read.
    """
    from .media import check_clip, read

    head, default = load_head(reading.head), HeadModel.default()
    to, out = carry(head, default), []
    for path in paths:
        loaded = read(path, head, reading.face, progress)
        try:
            out.append(replace(loaded, parts=tuple(p.mapped(lambda clip: check_clip(to(clip), default)) for p in loaded.parts)))
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from err
    return out


def converse(clip: str | None = None, *, out: str, session: str | None = None, seconds: float | None = None,
             planner: tuple[str, str] | None = None, planner_key: str = "", reading: ReadingOptions = READING,
             sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL, progress: Watch = silent) -> Agent:
    """A conversation about a clip, or without one; see :func:`chat`."""
    from .talk.agent import Agent
    from .talk.native import NativePlanner

    if session is not None and not re.fullmatch(r"[\w][\w .-]{0,79}", session):
        raise ValueError(f"--session is {session!r}; allowed: a name of letters, digits, blanks, dots and dashes")
    folder, length = output_folder(out), parsed(Seconds, seconds) if seconds is not None else None
    own = None if planner is None else NativePlanner(*planner, planner_key)
    loaded = read_for_model([clip], reading, progress)[0] if clip else None
    name = session or datetime.now().strftime("%Y-%m-%d-%H%M%S")
    agent = Agent(folder / name, load_agent(model), sampling, length, own, progress)
    if clip is not None and loaded is not None:
        agent.open(clip, loaded)
    return agent


def chat(clip: str | None = None, /, *, out: Out = "out/chat", session: str | None = None, seconds: float | None = None,
         planner: tuple[str, str] | None = None, planner_key: str = "", reading: ReadingOptions = READING,
         sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL,
         progress: Watch = silent, as_json: Annotated[bool, HIDDEN] = False) -> None:
    """Talk with the model about clips, in the terminal.

    Args:
        clip: CLIP.npz, a video or a picture to talk about.
        out: Folder of conversations; each is a folder in it, with its clips.
        session: Name of the conversation; one that is there is gone on with (default: a new one, named by the time).
        seconds: Exact duration of what is performed (default: what each line says, else what it takes).
        planner: URL and MODEL of an OpenAI-compatible endpoint that leads the conversation (default: the shipped model).
        planner_key: Environment variable with its key.
    """
    from .talk.terminal import loop

    agent = converse(clip, out=out, session=session, seconds=seconds, planner=planner, planner_key=planner_key, reading=reading,
                     sampling=sampling, model=model, progress=progress)
    try:
        loop(agent, sys.stdin, sys.stdout, as_json)
    finally:
        agent.memory.close()


# -- what is installed --------------------------------------------------------------------
def info(*, model: ModelOptions = MODEL, version: Annotated[str, HIDDEN] = "") -> Result:
    """Versions, weights, base model and head in use."""
    from importlib import metadata

    from ..llm.base import find_base
    from ..llm.model import read_card
    from ..tokenizer.codec import FaceTokenizer
    from .pipeline import weights_dir

    def installed(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "not installed"

    def or_none(work: Callable[[], object], asked: str | None) -> str:
        try:
            return str(work())
        except (ValueError, OSError) as err:
            if asked:  # what the user names must be there; a default may be missing
                raise
            return f"none: {err}"

    def weights() -> str:
        folder = weights_dir(model.weights)
        card, tokenizer = read_card(folder / "llm"), FaceTokenizer.from_pretrained(folder / "tokenizer")
        return f"{folder}: on {card['base']}, {tokenizer.n_symbols} motion symbols"

    head = HeadModel.default()
    facts = {"facelm": version or installed("facelm"), "python": sys.version.split()[0],
             **{n: installed(n) for n in ("torch", "transformers", "peft", "vector-quantize-pytorch", "numpy")},
             "weights": or_none(weights, model.weights), "base model": or_none(lambda: find_base(model.base), model.base),
             "head": f"{head.ref}: {head.n_vertices} vertices, {head.n_expr} expressions, {head.n_shape} identity components"}
    return Result(facts, "\n".join(f"{name:<24s}{value}" for name, value in facts.items()))
