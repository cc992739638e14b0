"""`facelm eval`: the language model both ways, prompts, conversations, transitions, edited photos, or avatars."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..agent import tools
from ..agent.options import FLAT, MODEL, Model, ModelOptions, Out, Result
from ..agent.requests import output_file, output_folder, ready, sampling_of
from ..common.files import digest, file_digest, write_json
from .data import positive
from .output import bars

if TYPE_CHECKING:
    from ..eval.photo.edits import PhotoReport
    from ..eval.photo.papers import PaperReport

ITEMS = 500
"""Test items each way."""
KNOWN = 4000
"""Training items that are retrieved from."""
WAYS = {"alone": "model alone", "check": "with check", "repair": "with repair"}
"""Ways of performing prompts, as the command line and the reports name them."""


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
    """Performances sampled for each prompt, of which the one is kept that measures best (default: 4)."""


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


@dataclass(frozen=True)
class Prompts:
    """Options of the evaluation of prompts."""

    prompts: str | None = None
    """Prompts: FILE.yaml, a mapping of kinds to rows [text, script line] (default: the held-out prompts)."""
    templates: int = 300
    """Prompts: fresh prompts worded by templates, evaluated beside the file; 0 for none."""
    ways: str = ",".join(WAYS)
    """Prompts: how they are performed: alone (the likeliest motion, unchecked), check (the best of the candidates), repair
    (what a user gets); a comma between them."""
    rows: str | None = None
    """Prompts: keep the results there as they come, FILE.jsonl; a run that was stopped goes on from them."""
    failures: str | None = None
    """Prompts: write what is not wholly right, with the texts, to FILE.json; not for prompts that nothing should be tuned to."""


@dataclass(frozen=True)
class Photos:
    """Options of the evaluation of edited photos and of avatars."""

    photos: str | None = None
    """Photo: a photo or a folder of them (default: the astronaut of scikit-image, where that is installed)."""
    films: str | None = None
    """Avatar: a film of one person or a folder of them."""
    judges: str | None = None
    """Photo, avatar: folder with the networks for LPIPS and identity (scripts/fetch_judges.py); without it they are left out."""
    table: Literal["002-I", "002-IV", "004"] | None = None
    """Photo: fill this table of the papers instead: 002 is He et al. 2026 (dual mappers), 004 Syed 2025 (DiffEdit)."""
    made: str = "out/photo"
    """Photo: what is made on the way to --table: stand-in pictures, judges and mappers; found again by the next run."""
    quick: bool = False
    """Photo: with --table 002-..., tiny networks and few steps: whether it runs, not how well."""
    kdef: str | None = None
    """Photo: with --table 004, KDEF's folder (default: made-up persons with its file names)."""
    diffusion: str | None = None
    """Photo: with --table 004, a Stable Diffusion folder in diffusers' layout, for a column by DiffEdit."""
    lora: str | None = None
    """Photo: with --diffusion, the folder of its LoRA; where there is none, it is trained on the pairs and written there."""


def evaluate(what: Literal["language", "prompts", "dialogue", "transitions", "photo", "avatar"] = "language", /, *,
             out: Out | None = None, count: int | None = None,
             language: Annotated[Language, FLAT] = Language(), prompts: Annotated[Prompts, FLAT] = Prompts(),
             transitions: Annotated[Transitions, FLAT] = Transitions(), photo: Annotated[Photos, FLAT] = Photos(),
             model: ModelOptions = MODEL) -> Result:
    """Evaluate: both directions of the language model, prompts checked, conversations, transitions, edited photos, or avatars.

    Args:
        what: Words to motion and back, prompts read and performed as they should be, conversations with what is right in them,
            the CK+/CelebV-HQ tables, seven expressions put on photos, or frames of films redrawn from one.
        out: Write the full report there as well: FILE.json; for transitions a folder.
        count: Test items each way (default: 500); of prompts: at most so many of each kind; of transitions: for the language
            model (default: the recipe's).
    """
    positive("--count", count)
    positive("--repeats", transitions.repeats)
    if what == "photo":
        return of_photos(out, count, photo, language, prompts, transitions)
    if what == "avatar":
        return of_avatars(out, count, photo, language, prompts, transitions)
    if photo != Photos():
        raise ValueError("--photos and --judges belong to `facelm eval photo`, and so do --table, --made, --quick, --kdef, "
                         "--diffusion and --lora; --films belongs to `facelm eval avatar`; write that, or leave them out")
    if what == "dialogue":
        return of_dialogues(out, count, prompts, model)
    if what != "prompts" and prompts != Prompts():
        raise ValueError("--prompts, --templates, --ways, --rows and --failures belong to `facelm eval prompts`; write that, or "
                         "leave them out")
    if what == "prompts":
        return of_prompts(out, count, language, prompts, transitions, model)
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


def of_prompts(out: str | None, count: int | None, options: Language, asked: Prompts, others: Transitions,
               model: Model) -> Result:
    """Prompts read and performed, and what of them is right."""
    from ..common.store import Journal
    from ..eval.prompts.score import evaluate_prompts, failures, report
    from ..eval.prompts.suite import load_prompts, prompts_digest, template_prompts

    _only_prompts(options, others)
    positive("--templates", asked.templates, 0)
    ways = [w.strip() for w in asked.ways.split(",") if w.strip()]
    if bad := [w for w in ways if w not in WAYS] or ([] if ways else [asked.ways]):
        raise ValueError(f"--ways is {bad[0]!r}; allowed: {', '.join(WAYS)}, with a comma between them")
    sampling = sampling_of(options.seed, options.temperature, options.candidates)
    targets = {k: output_file(p, end) for k, p, end in (("out", out, ".json"), ("rows", asked.rows, ".jsonl"),
                                                        ("failures", asked.failures, ".json")) if p}
    sets = {asked.prompts or "held-out prompts": load_prompts(asked.prompts)}
    if asked.templates:
        sets["template prompts"] = template_prompts(asked.templates, options.seed)
    if count:
        sets = {name: [p for kind in dict.fromkeys(p.kind for p in some) for p in [q for q in some if q.kind == kind][:count]]
                for name, some in sets.items()}
    agent = tools.load_agent(model)
    if "rows" in targets:
        targets["rows"].parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(targets["rows"]) if "rows" in targets else None
    made = weights_digest(model.weights) if journal else ""
    drawn = {"temperature": sampling.temperature, "candidates": sampling.candidates}
    reports, failed = [], {}
    for name, some in sets.items():
        key = digest([made, model.base, prompts_digest(some), options.seed, drawn, sorted(ways)]) if journal else ""
        rows = evaluate_prompts(agent, some, options.seed, [WAYS[w] for w in ways], drawn, journal, key, bars(name))
        reports.append(report(name, rows))
        failed[name] = failures(some, rows)
    if "out" in targets:
        write_json(ready(targets["out"]), [r.to_dict() for r in reports], indent=1)
    if "failures" in targets:
        write_json(ready(targets["failures"]), failed, indent=1)
    return Result({"prompts": [r.to_dict() for r in reports]}, "\n\n".join(r.table() for r in reports))


def of_dialogues(out: str | None, count: int | None, asked: Prompts, model: Model) -> Result:
    """Conversations and how many of their turns and of them are right, and whether descriptions are complete and true."""
    from ..agent.talk.agent import Agent
    from ..eval.dialogue.descriptions import COUNT, evaluate_descriptions
    from ..eval.dialogue.score import evaluate_dialogues
    from ..eval.dialogue.suite import SETS, load_dialogues

    if asked != Prompts(prompts=asked.prompts, failures=asked.failures):
        raise ValueError("options of the other evaluations do not go with `facelm eval dialogue`; allowed: --prompts FILE.yaml, "
                         "--failures, --count, -o")
    targets = {k: output_file(p, ".json") for k, p in (("out", out), ("failures", asked.failures)) if p}
    sets = {name: load_dialogues(name)[:count] for name in ((asked.prompts,) if asked.prompts else SETS)}
    agent, watch = tools.load_agent(model), bars()
    reports = [evaluate_dialogues(name, some, lambda: Agent(None, agent),
                                  lambda done, of, name=name: watch(done, of, name)) for name, some in sets.items()]  # type: ignore[misc]
    told = [] if asked.prompts else [evaluate_descriptions(
        agent.describe, count or COUNT, progress=lambda done, of, stage="": watch(done, of, "descriptions"))]  # type: ignore[misc]
    facts = [*(r.to_dict() for r in reports), *(t.to_dict() for t in told)]
    if "out" in targets:
        write_json(ready(targets["out"]), facts, indent=1)
    if "failures" in targets:
        wrong = [asdict(r) for report in reports for r in report.rows if not r.right]
        write_json(ready(targets["failures"]), [*wrong, *(f for t in told for f in t.failures())], indent=1)
    return Result({"dialogue": facts}, "\n\n".join([*(r.table() for r in reports), *(t.table() for t in told)]))


def of_photos(out: str | None, count: int | None, asked: Photos, *others: object) -> Result:
    """Seven expressions on photos: what is found, what else changed, whose face it is, what it costs; or a paper's table."""
    if others != (Language(), Prompts(), Transitions()) or asked.films:
        raise ValueError("options of the other evaluations do not go with `facelm eval photo`; allowed: --photos, --judges, "
                         "--table, --made, --quick, --kdef, --diffusion, --lora, --count, -o")
    target = output_file(out, ".json") if out else None
    run = _edits if asked.table is None else _thesis if asked.table == "004" else _mappers
    report: PhotoReport | PaperReport = run(count, asked)
    if target:
        write_json(ready(target), report.to_dict(), indent=1)
    return Result(report.to_dict(), report.table())


def _edits(count: int | None, asked: Photos) -> PhotoReport:
    from ..eval.photo.edits import evaluate_photos, photos_in

    if asked != Photos(photos=asked.photos, judges=asked.judges):
        raise ValueError("--made, --quick, --kdef, --diffusion and --lora belong to --table; name one of 002-I, 002-IV, 004")
    return evaluate_photos(photos_in(asked.photos)[:count], asked.judges, bars())


def _thesis(count: int | None, asked: Photos) -> PaperReport:
    from ..eval.photo.edits import photos_in
    from ..eval.photo.thesis import SUBJECTS, diffusion_editors, subjects_of, thesis_report

    if asked.quick:
        raise ValueError("--quick belongs to --table 002-I and 002-IV; leave it out")
    if asked.kdef and asked.photos:
        raise ValueError("--kdef and --photos are two kinds of pictures; give one")
    if asked.lora and not asked.diffusion:
        raise ValueError("--lora needs --diffusion, the Stable Diffusion folder that it belongs to")
    judges, kdef = (Path(p) if p else None for p in (asked.judges, asked.kdef))
    if asked.diffusion:  # before the pictures: what is missing is said at once
        editors = diffusion_editors(asked.diffusion, asked.lora, kdef, Path(asked.made), judges, bars())
    photos = photos_in(asked.photos) if asked.photos else None
    subjects = subjects_of(kdef, photos, Path(asked.made), count or SUBJECTS, progress=bars())
    return thesis_report(subjects, editors if asked.diffusion else None, judges, bars())


def _mappers(count: int | None, asked: Photos) -> PaperReport:
    from ..eval.photo.mappers import COUNT, mapper_report

    if asked != Photos(table=asked.table, made=asked.made, quick=asked.quick):
        raise ValueError(f"--photos, --judges, --kdef, --diffusion and --lora do not go with --table {asked.table}, which is "
                         "about rendered persons; allowed: --made, --quick, --count, -o")
    return mapper_report(str(asked.table), Path(asked.made), count or COUNT, asked.quick, progress=bars())


def of_avatars(out: str | None, count: int | None, asked: Photos, *others: object) -> Result:
    """Frames of films redrawn from their quietest one, and views that no avatar has seen."""
    from ..eval.avatar.evaluate import evaluate_avatars, films_in

    if others != (Language(), Prompts(), Transitions()) or asked.photos:
        raise ValueError("options of the other evaluations do not go with `facelm eval avatar`; allowed: --films, --judges, "
                         "--count, -o")
    if asked.films is None:
        raise ValueError("eval avatar needs --films, a film of one person or a folder of them")
    target = output_file(out, ".json") if out else None
    report = evaluate_avatars(films_in(asked.films)[:count], asked.judges, bars())
    if target:
        write_json(ready(target), report.to_dict(), indent=1)
    return Result(report.to_dict(), report.table())


def _only_prompts(options: Language, others: Transitions) -> None:
    """Refuse options of the other evaluations."""
    if others != Transitions() or options.corpus or options.only:
        raise ValueError("options of the other evaluations do not go with `facelm eval prompts`; allowed: --prompts, "
                         "--templates, --ways, --rows, --failures, --count, --seed, --temperature, --candidates, -o")


def weights_digest(weights: str | None) -> str:
    """A digest of a weights folder's files."""
    from ..agent.pipeline import weights_dir

    folder = weights_dir(weights)
    return digest({str(p.relative_to(folder)): file_digest(p) for p in sorted(folder.rglob("*")) if p.is_file()})


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
