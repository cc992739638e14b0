"""`facelm bench`: suites of the benchmark, systems beside each other, reports; and checks of a corpus."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..agent import tools
from ..agent.options import FLAT, MODEL, Model, ModelOptions, Out, Result
from ..agent.requests import output_folder
from ..common.files import digest
from .evaluate import weights_digest
from .output import bars

if TYPE_CHECKING:
    from ..eval.bench.run import Models
    from ..eval.bench.systems import System


@dataclass(frozen=True)
class Beside:
    """What is measured beside the project's own."""

    peer: tuple[str, ...] = ()
    """Folder of a trained peer; several with several --peer."""
    model: str | None = None
    """A program of your own, as a command line: it reads prompts as JSON lines and writes clips into the folder that is its last
    argument (docs/benchmark.md)."""
    tokenizer: tuple[str, ...] = ()
    """Folder of another motion tokenizer; several with several --tokenizer."""
    footage: tuple[str, ...] = ()
    """Annotated clips of real faces, files or folders (scripts/fetch_real.py); without, that part is left out."""


@dataclass(frozen=True)
class Chosen:
    """What of a suite is run."""

    quick: bool = False
    """The quick suite: every table with few items."""
    full: bool = False
    """The full suite."""
    only: str | None = None
    """Only these parts, a comma between them: words, descriptions, questions, tokenizer, kinematics, faces, speed."""
    systems: str | None = None
    """Only these systems, a comma between them (default: the suite's, and all that are given)."""
    seed: int | None = None
    """Another seed than the suite's."""


def bench(suite: str | None = None, /, *, out: Out = "out/bench", data: str | None = None,
          chosen: Annotated[Chosen, FLAT] = Chosen(), beside: Annotated[Beside, FLAT] = Beside(),
          model: ModelOptions = MODEL) -> Result:
    """Run a suite of the benchmark, and write its tables as JSON, Markdown and one HTML page; a stopped run goes on.

    Args:
        suite: quick, full, or SUITE.yaml (default: quick).
        out: Folder of the reports, and of what is kept on the way.
        data: Check this corpus instead: values, frame rates, texts, leaks between splits, heads.
    """
    if data is not None:
        if suite or chosen != Chosen() or beside != Beside():
            raise ValueError("--data checks a corpus and runs no suite; leave the other options out")
        return of_data(data)
    from ..eval.bench.suite import load_suite

    names = [n for n, given in (("quick", chosen.quick), ("full", chosen.full), (suite, suite)) if given]
    if len(names) > 1:
        raise ValueError(f"which suite: {' or '.join(map(str, names))}? Give one of them")
    loaded = load_suite(str(names[0]) if names else "quick")
    loaded = loaded if chosen.seed is None else replace(loaded, seed=chosen.seed)
    folder = output_folder(out)
    for path in (*beside.peer, *beside.tokenizer, *beside.footage):
        if not Path(path).exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
    from .. import __version__
    from ..eval.bench.report.write import write
    from ..eval.bench.run import Asked, Bench, results
    from ..eval.features.model import Matcher

    asked = Asked(loaded, folder, command_line(str(names[0]) if names else "quick", out, loaded.seed, beside, model),
                  _split(chosen.only), _split(chosen.systems), tuple(map(Path, beside.footage)))
    matcher = Matcher.from_pretrained()
    made = models(beside, model)
    from ..face.head.model import HeadModel

    sheets = Bench(asked, made, HeadModel.default(), matcher, bars()).run()
    files = write(results(asked, made, sheets, matcher, __version__), folder)
    return Result({"files": [str(f) for f in files], "tables": [s.to_dict() for s in sheets]},
                  "\n\n".join(s.markdown() for s in sheets) + "\n\n" + ", ".join(map(str, files)))


def of_data(folder: str) -> Result:
    """What is wrong with a corpus."""
    from ..eval.datasets.validate import validate

    report = validate(folder, bars("reading"))
    return Result(report.to_dict(), report.text(), error="" if report.ok else f"{folder}: {report.faults} faults")


def _split(names: str | None) -> tuple[str, ...]:
    return tuple(n.strip() for n in names.split(",") if n.strip()) if names else ()


def command_line(suite: str, out: str, seed: int, beside: Beside, model: Model) -> str:
    """The command that prints a run again, up to parts and systems."""
    words = ["facelm", "bench", suite, "-o", out, "--seed", str(seed)]
    for name, values in (("--peer", beside.peer), ("--model", (beside.model,) if beside.model else ()),
                         ("--tokenizer", beside.tokenizer), ("--footage", beside.footage), ("--weights", (model.weights,)),
                         ("--base", (model.base,)), ("--performer", (model.performer,))):
        words += [w for v in values if v for w in (name, v)]
    return shlex.join(words)


def models(beside: Beside, model: Model) -> Models:
    """Everything that is measured: made when it is needed, but for tokenizers."""
    from ..agent.pipeline import weights_dir
    from ..eval.bench.run import Models
    from ..eval.bench.suite import AGENT, ALONE, UNTUNED
    from ..tokenizer.codec import FaceTokenizer

    lazy = _Lazy(model)
    systems: dict[str, Callable[[], System]] = {UNTUNED: lazy.untuned, ALONE: lazy.alone, AGENT: lazy.agent}
    for path in beside.peer:
        peer = _peer(path)
        systems[peer.name] = partial(_same, peer)
    if beside.model:
        from ..eval.bench.program import Program
        from ..face.head.model import HeadModel

        program = Program(beside.model, HeadModel.default())
        systems[program.name] = partial(_same, program)
    tokenizers = {"ours": weights_dir(model.weights) / "tokenizer", **{Path(t).name: Path(t) for t in beside.tokenizer}}
    return Models(
        systems, {name: FaceTokenizer.from_pretrained(path) for name, path in tokenizers.items()},
        {ALONE: lambda clips: lazy.lm().describe_many(list(clips), model=True),
         "agent, by measurement": lambda clips: lazy.lm().describe_many(list(clips))},
        lambda measured: lazy.lm().describe(measured), lazy.talk,
        digest([weights_digest(model.weights), model.base, model.exact, list(beside.peer), beside.model]))


def _same(system: System) -> System:
    return system


def _peer(path: str) -> System:
    from ..eval.bench.systems import load_peer

    return load_peer(path)


class _Lazy:
    """The language model, loaded once, when a part first needs it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._lm: Any = None

    def lm(self) -> Any:
        """The agent's model."""
        if self._lm is None:
            self._lm = tools.load_agent(self.model)
        return self._lm

    def _by_model(self, lm: Any, name: str) -> System:
        from ..eval.bench.systems import Language
        from ..eval.prompts.score import ALONE, WAYS

        return Language(name, lm, 1, WAYS[ALONE])

    def alone(self) -> System:
        """Words to motion by the language model, token by token, unchecked."""
        from ..agent.pipeline import FaceLM
        from ..eval.bench.suite import ALONE

        lm = self.lm()
        return self._by_model(FaceLM(lm.tokenizer, lm.lm, lm.head, "model"), ALONE)

    def untuned(self) -> System:
        """The same before any training: the base with new rows, bound by the grammars."""
        from ..agent.pipeline import FaceLM, weights_dir
        from ..eval.bench.suite import UNTUNED
        from ..llm.generate import MotionLM
        from ..llm.model import untuned_model

        lm = self.lm()
        untuned = untuned_model(weights_dir(self.model.weights) / "llm", self.model.base)
        return self._by_model(FaceLM(lm.tokenizer, MotionLM(untuned, 1 if self.model.exact else 32), lm.head, "model"), UNTUNED)

    def agent(self) -> System:
        """What a user gets."""
        from ..eval.bench.suite import AGENT
        from ..eval.bench.systems import Language

        return Language(AGENT, self.lm())

    def talk(self) -> Any:
        """An agent without a past."""
        from ..agent.talk.agent import Agent

        return Agent(None, self.lm())


__all__: Sequence[str] = ["bench"]
