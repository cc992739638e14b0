"""What a user asks for, checked once, where it enters; nothing is loaded for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..common.config import SETTINGS, explain
from ..common.text import utf8
from ..data_gen.text.transition_text import Instruction, parse

MAX_SECONDS = 600.0
MAX_PROMPT = 2000
STAGE_SECONDS = 0.2
"""Shortest time for one expression."""
CURVES = ("learned", "linear", "minjerk")
"""The ways from one key pose to the next; see ``agent/motion/curves.py``."""
NOTE = 25
"""Level of log messages that say what was done to a file: above INFO, below WARNING."""
log = logging.getLogger(__name__)
T = TypeVar("T")


def _within(name: str, low: float, high: float | None = None) -> AfterValidator:
    """A range check whose text names the value and what is allowed; a value that is not a number is refused."""
    allowed = f"{low:g} and more" if high is None else f"{low:g} to {high:g}"

    def check(value: float) -> float:
        if not low <= value <= (float("inf") if high is None else high):
            raise ValueError(f"{name} is {value:g}; allowed: {allowed}")
        return value

    return AfterValidator(check)


def _utf8(text: object) -> object:
    return utf8(text) if isinstance(text, str) else text


def _said(name: str, wanted: str) -> AfterValidator:
    """A line of words; the text for an empty one says what is wanted."""
    def check(text: str) -> str:
        if not text.strip():
            raise ValueError(f"the {name} is empty; {wanted}")
        if len(text) > MAX_PROMPT:
            raise ValueError(f"the {name} has {len(text)} characters; at most {MAX_PROMPT} are read")
        return text.strip()

    return AfterValidator(check)


def _one_of(name: str, *allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
        return value

    return AfterValidator(check)


Prompt = Annotated[str, BeforeValidator(_utf8), _said("prompt", 'write what the face does, e.g. "She smiles, then nods twice."')]
Question = Annotated[str, BeforeValidator(_utf8), _said("question", 'ask e.g. "How often does it blink?"')]
Seconds = Annotated[float, _within("seconds", 0.2, MAX_SECONDS)]
Seed = Annotated[int, _within("seed", 0)]
Temperature = Annotated[float, _within("temperature", 0, 10)]
Candidates = Annotated[int, _within("candidates", 1, 64)]
_OPEN = SETTINGS | {"allow_inf_nan": True}
"""Ranges refuse what is not finite, with their own text."""


def request(cls: Callable[..., T], **values: Any) -> T:
    """Make a request.

    Raises:
        ValueError: one line with the value and what is allowed.
    """
    try:
        return cls(**values)
    except ValidationError as err:
        raise ValueError(fault(err)) from None


def parsed(kind: Any, value: Any) -> Any:
    """Check one value of an annotated type (``Prompt``, ``Question``, ``Seconds`` ...).

    Raises:
        ValueError: one line with the value and what is allowed.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as err:
        raise ValueError(fault(err)) from None


def fault(err: ValidationError) -> str:
    """The first fault in one line; the texts of this module's checks name their value themselves."""
    first = err.errors(include_url=False)[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return explain(err, where="" if first["loc"] else "the value")


# -- motion from words --------------------------------------------------------------------
@dataclass(frozen=True, config=_OPEN)
class Sampling:
    """How a motion is sampled."""

    seed: Seed = 0
    """The same seed gives the same motion."""
    temperature: Temperature = 0.5
    """0 for the most likely motion."""
    candidates: Candidates = 4
    """Motions sampled for each few seconds, of which the one is kept that measures best."""
    idle: bool = True
    """Add spontaneous blinks, saccades and drift."""

    @property
    def tries(self) -> int:
        """Motions that are sampled; without chance they would all be the same."""
        return 1 if self.temperature == 0 else self.candidates


@dataclass(frozen=True, config=_OPEN)
class TransitionSampling(Sampling):
    """How a transition is sampled; the first candidate is the likeliest transition."""

    idle: bool = False
    """Add spontaneous blinks, saccades and drift."""


@dataclass(frozen=True, config=_OPEN)
class GenerateRequest:
    """Prompts to perform, each with its duration; prompt ``i`` is performed with seed ``sampling.seed + i``."""

    prompts: tuple[Prompt, ...]
    seconds: tuple[Seconds | None, ...]
    sampling: Sampling = Sampling()

    @classmethod
    def of(cls, prompts: Sequence[str], seconds: float | Sequence[float | None] | None = None,
           sampling: Sampling | None = None) -> GenerateRequest:
        """Check prompts and durations.

        Raises:
            ValueError: an empty or very long prompt, another number of durations than prompts, or a duration
                outside 0.2 to 600 s.
        """
        durations = for_each(seconds, len(prompts), "durations", "prompts")
        return request(cls, prompts=tuple(prompts), seconds=tuple(durations), sampling=sampling or Sampling())


def sampling_of(seed: int = 0, temperature: float | None = None, candidates: int | None = None, idle: bool = True) -> Sampling:
    """Check sampling options; None is the default.

    Raises:
        ValueError: a negative seed, a temperature outside 0 to 10, or candidates outside 1 to 64.
    """
    given = {"temperature": temperature, "candidates": candidates}
    return request(Sampling, seed=seed, idle=idle, **{k: v for k, v in given.items() if v is not None})


def for_each(value: Any, count: int, what: str, of: str) -> list[Any]:
    """One value for all, or a list that has one for each.

    Raises:
        ValueError: another number of values.
    """
    one = value is None or not isinstance(value, Sequence) or isinstance(value, str)
    many = [value] * count if one else list(value)
    if len(many) != count:
        raise ValueError(f"{len(many)} {what} for {count} {of}; give one for each")
    return many


# -- transitions --------------------------------------------------------------------------
@dataclass(frozen=True, config=_OPEN)
class TransitionOptions:
    """What may be said of a transition beside the instruction."""

    seconds: Seconds | None = None
    """Exact duration (default: what the instruction says, else what it takes)."""
    via: Annotated[str, _one_of("via", "neutral")] | None = None
    """Neutral puts a neutral face in between."""


def rest_seconds(text: str) -> tuple[float, float] | None:
    """The seconds that ``--rest 0-0.6`` names; None where the text names something else.

    Raises:
        ValueError: two times in the wrong order.
    """
    low, dash, high = text.partition("-")
    try:
        span = (float(low), float(high)) if dash else None
    except ValueError:
        return None
    if span is not None and not 0.0 <= span[0] < span[1] < float("inf"):
        raise ValueError(f"--rest is {text}; wanted: two times in seconds, the earlier first, e.g. 0-0.6")
    return span


def transition_request(text: str | Instruction, seconds: float | None = None, via: str | None = None) -> Instruction:
    """Read and check a transition instruction; no model is needed.

    Args:
        text: English, e.g. "Turn this face from anger to happiness", or an instruction that was read already.
        seconds: wanted duration; it goes before one that the instruction says.
        via: ``neutral`` puts a neutral face before the last expression.

    Returns:
        The instruction with its duration.

    Raises:
        ValueError: an instruction that names no known expression, another ``via``, or a duration outside 0.2 to
            600 s or too short for the expressions.
    """
    options = request(TransitionOptions, seconds=seconds, via=via)
    asked = parse(utf8(text)) if isinstance(text, str) else text
    asked = asked.through_neutral() if options.via else asked
    wanted = asked.seconds if options.seconds is None else options.seconds
    least = max(0.2, STAGE_SECONDS * len(asked.names))
    if wanted is not None and wanted < least - 1e-9:
        raise ValueError(f"seconds is {wanted:g} for {len(asked.names)} expressions ({', '.join(asked.names)}); "
                         f"allowed: {least:g} to {MAX_SECONDS:g}")
    return replace(asked, seconds=wanted)


# -- files to write -----------------------------------------------------------------------
def output_file(path: str | os.PathLike[str], *suffixes: str) -> Path:
    """A file to write, checked before any work is done for it; missing folders are made when it is written.

    Raises:
        ValueError: another suffix, a folder of that name, or a file where a folder is needed.
    """
    target = Path(path)
    if target.suffix.lower() not in map(str.lower, suffixes):
        raise ValueError(f"{os.fspath(path)!r} must end in {' or '.join(suffixes)}")
    if target.is_dir():
        raise ValueError(f"{path} is a folder; a file is needed")
    output_folder(target.parent)
    return target


def output_folder(path: str | os.PathLike[str]) -> Path:
    """A folder to write to; it is made only when there is something to put into it.

    Raises:
        ValueError: it is a file, or lies in one.
    """
    target = Path(path)
    there = next(p for p in (target, *target.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file; a folder is needed")
    return target


def output_files(inputs: Sequence[str], out: str) -> list[Path]:
    """Where the clip of each input goes: one file, or a folder with a clip named after each.

    Raises:
        ValueError: several inputs and a file name, two inputs of one name, or a result over its own input.
    """
    target = Path(out)
    if target.suffix.lower() == ".npz" and not target.is_dir():
        if len(inputs) > 1:
            raise ValueError(f"-o is {out} for {len(inputs)} inputs; give a folder")
        outs = [output_file(target, ".npz")]
    else:
        if target.exists() and not target.is_dir():
            raise ValueError(f"-o is the file {out}; allowed: a file ending in .npz, or a folder")
        outs = [output_folder(target) / f"{Path(i).name.rsplit('.', 1)[0] or 'clip'}.npz" for i in inputs]
    names = [o.name for o in outs]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"several inputs are named {Path(twice[0]).stem}; write them to different folders")
    for path, one in zip(inputs, outs, strict=True):
        not_over_its_input(one, path)
    return outs


def not_over_its_input(out: Path, source: str | os.PathLike[str], option: str = "-o") -> Path:
    """Refuse to write a result over the file that it is made from.

    Raises:
        ValueError: both are the same file.
    """
    if out.exists() and Path(source).exists() and out.samefile(source):
        raise ValueError(f"{out} would be written over its own input; choose another name with {option}")
    return out


def ready(path: Path) -> Path:
    """Make the folders that a file lies in, and say so where it replaces one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        log.log(NOTE, "%s is replaced", path)
    return path
