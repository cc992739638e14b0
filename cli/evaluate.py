"""`facelm eval`: both directions of the language model, or the tables of the transition paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from ..agent import tools
from ..agent.options import FLAT, MODEL, Model, ModelOptions, Out, Result
from ..agent.requests import output_file, output_folder, ready, sampling_of
from ..common.files import write_json
from .data import positive
from .output import bars

ITEMS = 500
"""Test items each way."""
KNOWN = 4000
"""Training items that are retrieved from."""


@dataclass(frozen=True)
class Language:
    """Options of the evaluation of the language model."""

    corpus: str | None = None
    """Use this corpus' test split (default: fresh test scripts)."""
    only: Literal["l2m", "m2l"] | None = None
    """One direction only."""
    seed: int = 0
    """The same seed gives the same items and performances."""
    temperature: float = 0.5
    """0 for the most likely performance."""
    candidates: int | None = None
    """Performances sampled for each prompt, of which the model keeps the one it reads best (default: 4)."""


@dataclass(frozen=True)
class Transitions:
    """Options of the evaluation of transitions."""

    data: str | None = None
    """Transitions: ckplus, celebvhq, or a surrogate in the same layout that the procedural animator makes: surrogate-ckplus,
    surrogate-celebvhq."""
    root: str | None = None
    """Transitions: the data set's folder as distributed (surrogates need none)."""
    params: str = "fit"
    """Transitions: face parameters: fit, fitted to the pictures; true, those of the procedural animator (surrogates); or a
    folder of parameter files that facelm convert reads."""
    work: str = "out/transitions"
    """Transitions: what is made on the way: data, fits, models; found again by the next run."""
    recipe: str | None = None
    """Transitions: sizes and repeats, RECIPE.yaml (default: configs/transitions/cpu.yaml)."""
    repeats: int | None = None
    """Transitions: repeats of sampling (default: the recipe's)."""
    tables: str | None = None
    """Transitions: only these, e.g. II,V: II to X, quality, dynamics."""
    lm: bool = True
    """Transitions: include the language model."""


def evaluate(what: Literal["language", "transitions"] = "language", /, *, out: Out | None = None, count: int | None = None,
             language: Annotated[Language, FLAT] = Language(), transitions: Annotated[Transitions, FLAT] = Transitions(),
             model: ModelOptions = MODEL) -> Result:
    """Evaluate: both directions of the language model on the test split, or transitions beside their baselines.

    Args:
        what: Words to motion and back, or the CK+/CelebV-HQ tables.
        out: Write the full report there as well: FILE.json; for transitions a folder.
        count: Test items each way (default: 500); of transitions: for the language model (default: the recipe's).
    """
    positive("--count", count)
    positive("--repeats", transitions.repeats)
    return of_transitions(out, count, language, transitions, model) if what == "transitions" else of_language(
        out, count, language, transitions, model)


def of_language(out: str | None, count: int | None, options: Language, others: Transitions, model: Model) -> Result:
    """Words to motion and back, on the test split."""
    from ..data_gen.corpus.synth import read_manifest
    from ..eval.evaluate import evaluate as run
    from ..eval.items import corpus_items, fresh_items

    if others.data or others.root or others.tables:
        raise ValueError("--data, --root and --tables belong to `facelm eval transitions`; write that, or leave them out")
    sampling_of(options.seed, options.temperature, options.candidates)
    target = output_file(out, ".json") if out else None
    if options.corpus:
        read_manifest(options.corpus)
    agent = tools.load_agent(model)
    if options.corpus:
        items, known = (corpus_items(options.corpus, n, split, options.seed)
                        for n, split in ((count or ITEMS, "test"), (KNOWN, "train")))
    else:
        items, known = (fresh_items(n, split, options.seed, agent.head)
                        for n, split in ((count or ITEMS, "test"), (KNOWN, "train")))
    report = run(agent, items, known, options.only, options.seed, options.temperature, bars(), options.candidates)
    if target:
        write_json(ready(target), report.to_dict(), indent=1)
    return Result(report.to_dict(), report.table())


def of_transitions(out: str | None, count: int | None, others: Language, options: Transitions, model: Model) -> Result:
    """The tables of the instruction-driven transition paper, ours beside the paper's."""
    from ..eval.datasets.expressions import DATASETS
    from ..eval.transitions.options import TransitionOptions
    from ..eval.transitions.run import run

    if options.data is None:
        raise ValueError(f"eval transitions needs --data; allowed: {', '.join(DATASETS)}")
    for name in ("corpus", "only"):
        if getattr(others, name) is not None:
            raise ValueError(f"--{name} belongs to `facelm eval` without `transitions`; leave it out")
    tables = tuple(t.strip() for t in options.tables.split(",") if t.strip()) if options.tables is not None else None
    settings = TransitionOptions(data=options.data, work=Path(options.work), root=Path(options.root) if options.root else None,
                                 recipe=Path(options.recipe) if options.recipe else None, params=options.params, items=count,
                                 repeats=options.repeats, tables=tables)
    if out:
        output_folder(out)
    report = run(settings, tools.load_agent(model) if options.lm else None, bars())
    if out:
        report.save(out)
    return Result(report.to_dict(), report.table())
