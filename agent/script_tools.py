"""What the agent can do with scripts, as typed functions: perform, read, check, and list what can be named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..common.progress import silent
from ..face.clip.sequence import FaceSequence
from ..face.facs.script import Script
from ..face.facs.script_text import read_script, write_script
from ..face.head.model import HeadModel
from .file_tools import carry, draw, load_head
from .loading import load_agent
from .options import COPIES, MODEL, SAMPLING, CopiesOptions, ModelOptions, Out, Result, SamplingOptions, Watch
from .requests import GenerateRequest, output_file, ready

if TYPE_CHECKING:
    from .motion.checked import Performance


ScriptText = Annotated[str, Parameter(allow_leading_hyphen=True)]


def about(clip: FaceSequence, path: object, **facts: Any) -> dict[str, Any]:
    """What programs are told of a clip that was written."""
    return {"clip": str(path), **facts, "seconds": clip.seconds, "frames": len(clip), "fps": clip.fps}


def performed(made: Performance, clip: FaceSequence, path: Path, seed: int, what: str, full: bool, strict: bool) -> Result:
    """Write a performance and say what it shows."""
    clip.save(ready(path))
    failed = [c.sentence for c in made.checks.failed]
    total = len(made.checks.items)
    verdict = f"all {total} checks hold" if not failed else f"{len(failed)} of {total} checks fail"
    lines = [f"{path}: {clip.seconds:.2f} s, {len(clip)} frames: {what} ({verdict})"]
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
    if is_file and path.stat().st_size > 1_000_000:
        raise ValueError(f"{text} has {path.stat().st_size} bytes; a script is text of at most 1 MB")
    if is_file or text == "-":
        try:
            text = sys.stdin.read() if text == "-" else path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as err:
            raise ValueError(f"{path} is not UTF-8 text: {err.reason} at byte {err.start}") from err
    return Script.from_json(text) if text.lstrip().startswith("{") else read_script(text)


def read(text: str, /, *, model: ModelOptions = MODEL) -> Result:
    """Words to a script: what facelm understands a text to ask for.

    Args:
        text: What the face does.
    """
    asked = GenerateRequest.of([text])
    found = load_agent(model).read(asked.prompts[0])
    return Result({"prompt": text, "line": write_script(found), "script": found.to_dict()}, write_script(found, "\n"))


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
    from ..face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, NAMES, PAIRED

    kinds = {"actions": [n for n in NAMES if n in ACTION or n in DIRECTIONS], "emotions": list(EMOTIONS),
             "behaviours": list(BEHAVIOUR), "feelings": list(FEELING)}
    sided = sorted(PAIRED | DIRECTIONS)
    text = [f"{kind} ({len(names)}):\n  {', '.join(names)}" for kind, names in kinds.items()]
    return Result({**kinds, "sided": sided}, "\n".join([*text, f"with left or right:\n  {', '.join(sided)}"]))
