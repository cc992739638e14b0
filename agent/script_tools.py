"""What the agent can do with scripts, as typed functions: perform, read, check, and list what can be named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..common.files import naming, read_text
from ..common.progress import silent
from ..common.text import counted, utf8
from ..data_gen.prompts.language import other_language
from ..face.clip.normalise import is_real
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure
from ..face.facs.script import Script
from ..face.facs.script_text import read_script, write_script
from ..face.head.model import HeadModel
from .file_tools import carry, draw, load_head
from .loading import load_agent
from .options import COPIES, MODEL, SAMPLING, CopiesOptions, ModelOptions, Out, Result, SamplingOptions, Watch
from .requests import GenerateRequest, not_over_its_input, output_file, ready

if TYPE_CHECKING:
    from .motion.checked import Performance


ScriptText = Annotated[str, Parameter(allow_leading_hyphen=True)]


def about(clip: FaceSequence, path: object, **facts: Any) -> dict[str, Any]:
    """What programs are told of a clip that was written."""
    return {"clip": str(path), **facts, "seconds": clip.seconds, "frames": len(clip), "fps": clip.fps}


def performed(made: Performance, clip: FaceSequence, path: Path, seed: int, what: str, full: bool, strict: bool) -> Result:
    """Write a performance and say what it shows."""
    (made if clip is made.clip else clip).save(ready(path))
    failed = [c.sentence for c in made.checks.failed]
    lines = [f"{path}: {clip.seconds:.2f} s, {counted(len(clip), 'frame')}: {what} ({made.verdict})"]
    lines += made.lines() if full else [f"  NOT {f}" for f in failed] + [
        f"  I don't know how a face does {words!r}; performed without it" for words in made.script.unknown]
    wrong = "; ".join(failed + [f"unknown: {words}" for words in made.script.unknown])
    return Result(about(clip, path, seed=seed, **made.to_dict()), "\n".join(lines), clip,
                  f"{path}: {wrong}" if strict and wrong else "")


def perform(script: ScriptText, /, *, out: Out, seconds: float | None = None, head: str | None = None, strict: bool = False,
            copies: CopiesOptions = COPIES, sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL,
            progress: Watch = silent) -> Iterator[Result]:
    """A script to face motion, checked by measurement.

    Args:
        script: SCRIPT.txt (lines such as "smile strong" and "nod x2 at 2 s") or SCRIPT.json, "-" for stdin, or the script itself.
        out: The clip, CLIP.npz.
        seconds: Exact duration (default: what the script says, else what it takes).
        head: Perform on this head, HEAD.npz (default: the packaged one).
        strict: Fail where the clip does not show everything that was asked.
    """
    asked = load_script(script)
    target, extra = output_file(out, ".npz"), copies.paths()
    on = load_head(head)
    to = carry(HeadModel.default(), on)
    made, = load_agent(model).perform_many([asked], seconds, sampling.seed, sampling.idle, sampling.temperature,
                                           candidates=sampling.candidates, progress=progress)
    clip = to(made.clip)
    yield performed(made, clip, target, sampling.seed, write_script(asked), True, strict)
    for path in extra:
        yield draw(clip, path, title=write_script(asked), head=on, progress=progress)


def edit(source: ScriptText, wish: str, /, *, out: Out, seconds: float | None = None, strict: bool = False,
         copies: CopiesOptions = COPIES, sampling: SamplingOptions = SAMPLING, model: ModelOptions = MODEL,
         progress: Watch = silent) -> Iterator[Result]:
    """What was performed or filmed, changed as a wish says; what the wish does not touch stays as it is.

    Args:
        source: CLIP.npz, a video, SCRIPT.txt, SCRIPT.json, "-" for stdin, or a script itself, which is performed. A clip that
            facelm performed is changed by the script that its file holds, any other one in its own channels.
        wish: The change, e.g. "make the smile stronger", "without the wink", "nod three times instead".
        out: The clip, CLIP.npz.
        seconds: Exact duration (default: what the script says, else what it takes).
        strict: Fail where the clip does not show everything that was asked.
    """
    from .editing.perform import edit_clip, perform_edits
    from .measuring import fact_lines
    from .media import load_motion
    from .motion.checked import load_performance
    from .talk.planning.planned import change_of
    from .talk.session import Session
    from .talk.tools import Toolbox

    target, extra = not_over_its_input(output_file(out, ".npz"), source), copies.paths()
    is_clip = _is_recording(Path(source))
    first = load_performance(source) if is_clip and Path(source).suffix.lower() == ".npz" else None
    if first is not None and first.clip.head != HeadModel.default().ref:
        first = None
    if is_clip and seconds is not None:
        raise ValueError('--seconds is of what is performed; of a clip write e.g. "make it 5 seconds long"')
    if recorded := is_clip and first is None:
        loaded = load_motion(source, progress=progress)
        if len(loaded.shots) > 1:
            raise ValueError(f"{source} has {len(loaded.shots)} shots; cut it into its shots first")
        clip, facts = (loaded.shots[0].clip, loaded.measured) if loaded.shots else (loaded.seq, None)
        facts = facts or measure(clip, filmed=is_real(clip))
    asked = Script() if is_clip else load_script(source)
    agent = load_agent(model)
    tools = Toolbox(agent, Session(), sampling)
    if first is None and not recorded:
        first, = agent.perform_many([asked], seconds, sampling.seed, sampling.idle, sampling.temperature,
                                    candidates=sampling.candidates, progress=progress)
    if first is None:
        tools.session.add([clip], "opened", str(source))
    else:
        tools.session.add([first.clip], "performed", source, made=first)
    wish = utf8(wish)
    if not (edits := change_of(wish, tools)):
        shown = write_script(tools.shown(tools.session.clips[0])[0])
        raise ValueError(f'"{wish}" is no change of "{shown}"; write e.g. "make it stronger" or "add a wink"')
    tools.session.close()
    if first is None:
        new = edit_clip(agent.performer, clip, edits, facts)
        new.save(ready(target))
        found = measure(new, filmed=is_real(new))
        yield Result({**about(new, target), "edits": [e.to_dict() for e in edits], "measured": found.to_dict(str(target))},
                     "\n".join([f"{target}: {new.seconds:.2f} s, {counted(len(new), 'frame')}", *fact_lines(found)]), new)
    else:
        made = perform_edits(agent.performer, first, edits, sampling)
        new = made.clip
        yield performed(made, new, target, sampling.seed, write_script(made.script), True, strict)
    for path in extra:
        yield draw(new, path, title=wish, progress=progress)


def _is_recording(path: Path) -> bool:
    """Whether a file holds motion, not a script; also of a clip that is not there, which its reader says."""
    suffix = path.suffix.lower()
    if suffix == ".json" and path.is_file():
        return path.stat().st_size > 1_000_000 or '"cues"' not in read_text(path)
    return suffix == ".npz" or suffix not in (".txt", ".json") and path.exists()


def load_script(text: str) -> Script:
    """A script from a file, from stdin (``-``), or from the text itself.

    Raises:
        ValueError: not a script, or a file that is none.
    """
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # longer than a file name can be
        is_file = False
    if not is_file and text != "-" and path.suffix.lower() in (".txt", ".json"):
        raise FileNotFoundError(f"no such script: {text}")
    if is_file or text == "-":
        with naming("stdin" if text == "-" else path):
            return _script(_content(path, 1, "a script"))
    return _script(utf8(text))


def _script(text: str) -> Script:
    return Script.from_json(text) if text.lstrip().startswith("{") else read_script(text)


def read_prompts(file: str) -> list[str]:
    """The prompts of a text file, one a line; ``-`` is stdin.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: a folder, not text, more than 10 MB, or no prompts.
    """
    path = Path(file)
    if file != "-" and path.is_dir():
        raise ValueError(f"{path} is a folder; a text file with one prompt a line is needed")
    if file != "-" and not path.is_file():
        raise FileNotFoundError(f"no such prompt file: {path}")
    prompts = [line.strip() for line in _content(path, 10, "a prompt file").splitlines() if line.strip()]
    if not prompts:
        raise ValueError(f"{path} holds no prompts; write one a line")
    if any("\x00" in p for p in prompts):
        raise ValueError(f"{path} is not a text file (it holds NUL bytes)")
    for k, prompt in enumerate(prompts):
        if (language := other_language(prompt)) is not None:
            raise ValueError(f"prompt {k + 1}, {prompt[:60]!r}, seems to be {language}; facelm reads English only: "
                             "translate it, or leave it out")
    return prompts


def _content(path: Path, most: int, what: str) -> str:
    """The text of a file of at most ``most`` MB, or of stdin (``-``)."""
    if str(path) == "-":
        return utf8(sys.stdin.read())
    if (size := path.stat().st_size) > most * 1_000_000:
        raise ValueError(f"{path} has {size} bytes; {what} is text of at most {most} MB")
    return read_text(path)


def given_prompts(text: str | None, file: str | None, *settings: Any, times: int = 1) -> GenerateRequest:
    """A request for a single text, or for those of a file, each ``times``; ``settings`` are further ones of the request.

    Raises:
        ValueError: neither or both are given; see also ``read_prompts``.
    """
    if (text is None) == (file is None):
        raise ValueError('give either a text ("She smiles.") or --file PROMPTS.txt')
    if text is not None:
        return GenerateRequest.of([text] * times, *settings)
    with naming("stdin" if file == "-" else str(file)):
        return GenerateRequest.of([p for p in read_prompts(str(file)) for _ in range(times)], *settings)


def read(text: str | None = None, /, *, file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
         strict: bool = False, model: ModelOptions = MODEL) -> Iterator[Result]:
    """Words to a script: what facelm understands a text to ask for.

    Args:
        text: What the face does.
        file: Prompts, one a line, "-" for stdin; each is then printed above its script.
        strict: Fail where something is unknown.
    """
    asked = given_prompts(text, file)
    agent = load_agent(model)
    for prompt in asked.prompts:
        found = agent.read(prompt)
        lines = write_script(found, "\n")
        wrong = "; ".join(f"unknown: {words}" for words in found.unknown)
        yield Result({"prompt": prompt, "line": write_script(found), "script": found.to_dict(), "ok": not wrong},
                     lines if file is None else f"# {prompt}\n{lines}\n", error=wrong if strict else "")


def check(clip: str, script: ScriptText, /, *, head: str | None = None, strict: bool = False) -> Result:
    """Whether a clip shows what a script asks for, by measurement.

    Args:
        clip: CLIP.npz.
        script: SCRIPT.txt, SCRIPT.json, "-" for stdin, or the script itself.
        head: The head that the clip is of, HEAD.npz (default: the packaged one).
        strict: Fail where something is missing.
    """
    from ..face.facs.check import check as compare
    from ..face.facs.measure import measure

    asked = load_script(script)
    found = compare(asked, measure(FaceSequence.load(clip), load_head(head)))
    lines = [f"{'ok ' if c.ok else 'NOT'} {c.sentence}" for c in found.items]
    wrong = "; ".join(c.sentence for c in found.failed)
    return Result({"clip": clip, "script": asked.to_dict(), **found.to_dict()}, "\n".join(lines) or "nothing is asked",
                  error=f"{clip}: {wrong}" if strict and wrong else "")


def actions() -> Result:
    """Everything that a script can name."""
    from ..face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, GROUPS, NAMES, PAIRED

    kinds = {"actions": [n for n in NAMES if n in ACTION or n in DIRECTIONS], "emotions": list(EMOTIONS),
             "behaviours": list(BEHAVIOUR), "feelings": list(FEELING)}
    more = {"with left or right": sorted(PAIRED | DIRECTIONS), "after never, beside every name": sorted(GROUPS),
            "of the whole clip": ["still", "8 s"]}
    text = [f"{kind} ({len(names)}):\n  {', '.join(names)}" for kind, names in kinds.items()]
    text += [f"{where}:\n  {', '.join(names)}" for where, names in more.items()]
    sided, never, _ = more.values()
    return Result({**kinds, "sided": sided, "never": never}, "\n".join(text))
