"""The build: clips through all stages, their manifests and failure lists, and the corpus at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...common.files import canonical_json, write_lines, write_text
from ...common.store import Store, log, sweep
from ..fit.detect import landmarker_model
from ..prompts.suite import Attributes, Prompt
from ..video.t2v import render_videos
from .card import build_card
from .pack import Kept, Target, count_splits, first_parts, kept_clips, pack
from .plan import plan
from .recipe import Recipe, differences
from .shards import arrow, check_folder
from .stages import NAMES, RENDERED, Done, Item, give_up, run_clip
from .workers import WorkerPool

FORMAT, VERSION = "facelm-build", 1


@dataclass(frozen=True)
class BuildReport:
    """What a run did, and what is there now."""

    path: Path
    clips: int
    """Clips asked for."""
    packed: int
    """Clips in the corpus (a long video gives several)."""
    counts: dict[str, int]
    """Clips in each split."""
    failures: dict[str, int]
    """Clips given up at each stage; those that the filter left out among them."""
    seconds: float
    stage_runs: dict[str, int] = field(default_factory=dict)
    """How often each stage ran this time; the rest was there already."""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    """Processor-seconds of each stage, this time."""
    truth: Path | None = None
    """The corpus of the same clips as they were commanded."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"path": str(self.path), "seconds": round(self.seconds, 2),
                               "stage_seconds": {k: round(v, 3) for k, v in self.stage_seconds.items()},
                               "truth": str(self.truth) if self.truth else None}


def build_corpus(recipe: Recipe, out: str | os.PathLike[str], *, workers: int = 1, ray: str | None = None,
                 limit: int | None = None, truth_out: str | os.PathLike[str] | None = None, retry: bool = False,
                 update: bool = False, progress: bool = True) -> BuildReport:
    """Make a corpus, or go on with one.

    Every clip's stage is written whole or not at all, so the run may be killed at any moment; the next
    one does what is missing and ends with the same bytes.

    Args:
        recipe: see :class:`Recipe`.
        out: a new or empty folder, or that of the same build.
        workers: processes; 0 runs everything in this one.
        ray: None, ``local``, or the address of a Ray cluster that sees the same folders.
        limit: make only the first so many clips.
        truth_out: also write the corpus of the same clips as they were commanded (backend performer).
        retry: try clips again that failed before.
        update: go on although the recipe is another one than before: what it changes is made again.
        progress: one bar a stage on stderr, when that is a terminal.

    Raises:
        ValueError: numbers out of range, a folder that holds something else, a changed recipe, nothing to pack.
        FileNotFoundError: no videos, no landmark model.
        ImportError: an extra is missing.
    """
    began = time.monotonic()
    if not 0 <= workers <= 1024:
        raise ValueError(f"workers is {workers}; allowed: 0 to 1024")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; allowed: 1 or more")
    if truth_out is not None and recipe.backend != "performer":
        raise ValueError(f"the truth is known of the backend performer only, not of {recipe.backend}; leave --truth-out away")
    _check_machine(recipe)
    store = Store(Path(out).resolve())
    truth = Path(truth_out).resolve() if truth_out is not None else None
    items = plan(recipe, limit)
    note = _checked(store, recipe, update)
    if truth is not None:
        _claim_truth(truth, store.folder)
    with store.lock(), WorkerPool(workers, ray) as pool:
        write_text(store.work / "recipe.json", note)
        store.sweep()
        if recipe.backend == "t2v":
            _render(store, recipe, items, progress)
        ran, spent = _run_chain(store, recipe, items, pool, retry, progress)
        clips, failures = _manifests(store, items)
        started = time.process_time()
        about = {"recipe": _portable(recipe), "backend": recipe.backend, "asked": len(items), "failures": failures}
        target = Target(store, recipe, store.folder, progress=progress)
        written = pack(target, clips, pool, about)
        build_card(store.folder, recipe, len(items), failures, count_splits(clips))
        if truth is not None:
            whole = first_parts(clips)
            pack(replace(target, out=truth, true=True), whole, pool, about | {"truth_of": "fitted"})
            build_card(truth, recipe, len(items), failures, count_splits(whole), true=True)
        ran["pack"], spent["pack"] = sum(w.fresh for w in written), time.process_time() - started
    report = BuildReport(store.folder, len(items), len(clips), count_splits(clips), failures, time.monotonic() - began, ran,
                         spent, truth)
    log(store, "build", [canonical_json(report.to_dict())])
    return report


def _portable(recipe: Recipe) -> dict[str, Any]:
    """The recipe without where things lie on this machine."""
    plain = recipe.to_dict()
    plain["video"]["folder"] = Path(recipe.video.folder).name
    plain["fit"]["model"] = Path(recipe.fit.model).name
    return plain


def _check_machine(recipe: Recipe) -> None:
    """What every clip needs is looked for once, before the first."""
    arrow()
    landmarker_model(recipe.fit.model or None)


def _render(store: Store, recipe: Recipe, items: Sequence[Item], progress: bool) -> None:
    """Let the text-to-video model make what is missing: in batches, before the stages that take a clip at a time."""
    assert recipe.video.t2v is not None  # checked by the recipe
    prompts = [Prompt(i.spec["prompt"], Attributes.from_dict(i.spec["attributes"]), i.spec["prompt_id"]) for i in items]
    with tqdm(total=len(prompts), desc="text-to-video", unit="clip", disable=None if progress else True) as bar:
        render_videos(prompts, store.work / RENDERED, recipe.video.t2v, seed=recipe.seed,
                      progress=lambda done, of, stage="": bar.update(done - bar.n) and None)


# -- folders --------------------------------------------------------------------------------
def _checked(store: Store, recipe: Recipe, update: bool) -> str:
    """The text of recipe.json, if the folder is new, empty, or holds this very build."""
    folder, note = store.folder, store.work / "recipe.json"
    check_folder(folder, note, "build")
    wanted = {"format": FORMAT, "version": VERSION, "recipe": json.loads(canonical_json(recipe.to_dict()))}
    if note.is_file():
        try:
            have = json.loads(note.read_text(encoding="utf-8"))
        except ValueError as err:
            raise ValueError(f"{note} is damaged ({err}); use a new folder") from err
        changed = [d for d in differences(have.get("recipe"), wanted["recipe"]) if not d.startswith("clips: ")]
        if have.get("format") != FORMAT or have.get("version") != VERSION:
            raise ValueError(f"{folder} holds a build of another kind; use a new folder")
        if changed and not update:
            shown = "; ".join(changed[:5]) + (f"; {len(changed) - 5} more" if len(changed) > 5 else "")
            raise ValueError(f"{folder} was begun with another recipe ({shown}); use a new folder, or --update to "
                             "make again what the change concerns")
    return json.dumps(wanted, indent=2, sort_keys=True) + "\n"


def _claim_truth(truth: Path, source: Path) -> None:
    mark = truth / "build" / "truth_of.json"
    if truth == source:
        raise ValueError(f"--truth-out {truth}: give a folder of its own")
    check_folder(truth, mark, "corpus of commanded motion")
    mark.parent.mkdir(parents=True, exist_ok=True)
    sweep(truth, ".*.part*", "*/.*.part*")
    write_text(mark, '{"format": "facelm-build-truth", "version": 1}\n')


# -- the work -------------------------------------------------------------------------------
def _run_chain(store: Store, recipe: Recipe, items: Sequence[Item], pool: WorkerPool, retry: bool,
               progress: bool) -> tuple[dict[str, int], dict[str, float]]:
    ran, spent = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0.0)
    bars = {n: tqdm(total=len(items), desc=f"{n:<8s}", unit="clip", position=k, disable=None if progress else True)
            for k, n in enumerate(NAMES)}
    try:
        work = partial(_clip, store, recipe, retry)
        for done in pool.run(work, items, partial(_died, store, recipe)):
            lines: dict[str, str] = {}
            for stage in NAMES:
                if stage in done.ran:
                    ran[stage] += 1
                    spent[stage] += done.ran[stage]
                    lines[stage] = f"{done.id} {done.ran[stage]:.3f} s"
                if stage == done.failed:
                    lines[stage] = f"{done.id} failed: {done.reason}"
                bars[stage].update()
                if stage == done.failed:
                    break
            for stage, line in lines.items():
                log(store, stage, [line])
    finally:
        for bar in bars.values():
            bar.close()
    return ran, spent


def _clip(store: Store, recipe: Recipe, retry: bool, item: Item) -> Done:
    return run_clip(store, recipe, item, retry=retry)


def _died(store: Store, recipe: Recipe, item: Item) -> Done:
    """Record a clip whose process died twice at the stage that it was at."""
    return give_up(store, recipe, item, "the process that worked on it died each time (a crash in a decoder, or out of memory)")


def _manifests(store: Store, items: Sequence[Item]) -> tuple[list[Kept], dict[str, int]]:
    """One pass over all records: a manifest and a list of failures for each stage, and the clips that are kept."""
    manifest: dict[str, list[dict[str, Any]]] = {n: [] for n in NAMES}
    failures: dict[str, list[dict[str, Any]]] = {n: [] for n in NAMES}
    kept: list[Kept] = []
    for item in items:
        records = {}
        for stage in NAMES:
            record = store.read(stage, item.id)
            if record is None:
                raise ValueError(f"the record of {item.id} for {stage} disappeared; run the build again")
            records[stage] = record
            manifest[stage].append({"id": item.id, "key": record.key, "output": record.output, "ok": record.ok})
            if not record.ok:
                failures[stage].append({"id": item.id, "reason": record.reason})
                break
        else:
            for k, part in enumerate(records["filter"].data["parts"]):
                if not part["kept"]:
                    failures["filter"].append({"id": item.id, "part": k, "reason": "; ".join(part["reasons"])})
            kept += kept_clips(item, records, item.id)
    for name, rows in (("manifest", manifest), ("failures", failures)):
        folder = store.work / name
        folder.mkdir(parents=True, exist_ok=True)
        for stage in NAMES:
            write_lines(folder / f"{stage}.jsonl", rows[stage])
    return kept, {n: len(rows) for n, rows in failures.items() if rows}
