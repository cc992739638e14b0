"""What each stage makes of one clip. A stage is a pure function of the recipe, the clip and earlier records."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import digest
from ...common.store import Record, Store
from ...common.text import one_line
from ...face.clip.normalise import normalise
from ...face.clip.sequence import FaceSequence
from ...face.clip.windows import windows
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.facs.schedule import Schedule
from ...face.head.model import HeadModel
from ..fit.fit import FitResult, fit_media
from ..performer.sampler import sample_script
from ..prompts.suite import Attributes, script_for
from ..text.from_facts import texts_for
from ..text.questions import as_facts
from ..video.footage import film, truth_path
from ..video.sidecar import is_complete
from .agreement import agreement
from .recipe import Recipe
from .splits import split_of, split_of_source

VIDEO, TRUTH, FIT = "clip.mp4", "clip.truth.npz", "fit.npz"
RENDERED = "t2v"
"""Folder of the text-to-video model's videos; they cost too much to be removed."""
DRAWS = 200
"""Scripts drawn in search of one of the wanted length."""


@dataclass(frozen=True)
class Item:
    """One clip to make: what is known of it before the first stage."""

    id: str
    index: int
    spec: dict[str, Any] = field(default_factory=dict)
    """Backend videos: source (name within the folder) and sha256; prompt suite: prompt and attributes."""


@dataclass(frozen=True)
class Job:
    """One clip in the hands of a stage."""

    recipe: Recipe
    store: Store
    item: Item
    records: dict[str, Record]
    """The records of the stages before."""
    out: Path
    """Where files go."""

    def rng(self, *stream: int) -> np.random.Generator:
        """Randomness of this clip alone."""
        name = int.from_bytes(hashlib.sha256(self.item.id.encode()).digest()[:4], "big")
        return np.random.default_rng([self.recipe.seed, name, *stream])

    def path(self, stage: str, name: str) -> Path:
        """A file that an earlier stage wrote."""
        return self.store.place(stage, self.item.id) / name

    @property
    def script(self) -> Schedule | None:
        """The true script, when there is one."""
        text = self.records["prompts"].data.get("script")
        return Schedule.from_json(text) if text else None

    def video(self) -> Path:
        """The clip's video."""
        if self.recipe.backend == "videos":
            return Path(self.recipe.video.folder) / self.item.spec["source"]
        if self.recipe.backend == "t2v":
            return self.store.work / RENDERED / f"{self.item.spec['prompt_id']}.mp4"
        return self.path("video", VIDEO)


# -- the stages -----------------------------------------------------------------------------
def prompts(job: Job) -> dict[str, Any]:
    """The text that asks for the clip, its attributes, and the script where one is performed."""
    recipe, spec = job.recipe, job.item.spec
    if recipe.backend == "videos":
        return {"prompt": spec["prompt"], "attributes": spec["attributes"], "script": "", "group": spec["group"]}
    if recipe.prompts.source == "suite":
        asked = Attributes.from_dict(spec["attributes"])
        script = ""
        if recipe.backend == "performer":
            script = script_for(asked, int(job.rng(0).integers(2**31))).to_json()
        return {"prompt": spec["prompt"], "attributes": asked.as_dict(), "script": script, "group": spec["prompt"]}
    low, high = recipe.prompts.min_seconds, recipe.prompts.max_seconds
    rng = np.random.default_rng([recipe.seed, job.item.index])
    for _ in range(DRAWS):
        drawn = sample_script(rng)
        if low <= drawn.seconds <= high:
            return {"prompt": "", "attributes": {}, "script": drawn.to_json(), "group": job.item.id}
    raise ValueError(f"no script of {low:g} to {high:g} s in {DRAWS} draws; widen prompts.min_seconds and max_seconds")


def video(job: Job) -> dict[str, Any]:
    """The pictures. Existing videos stay where they are."""
    recipe = job.recipe
    if recipe.backend == "videos":
        spec = job.item.spec
        return {"source": spec["source"], "sha256": spec["sha256"], "licence": spec["licence"] or recipe.video.licence}
    if recipe.backend == "t2v":
        made = is_complete(job.video().parent, job.video().name)
        if made is None:
            raise ValueError("the text-to-video model made no video of this prompt; see build/t2v/failures.jsonl")
        return {"source": f"{made.model}@{made.commit or made.revision}", "sha256": made.sha256, "licence": made.licence.name,
                "seed": made.seed}
    script = job.script
    assert script is not None  # the stage prompts wrote one
    footage = film(script, job.out / VIDEO, recipe.video.footage, int(job.rng(1).integers(2**31)))
    return {"source": "performer", "licence": "Apache-2.0", "filmed": footage.attributes, "camera": asdict(footage.camera)}


def fit(job: Job) -> dict[str, Any]:
    """The head's parameters in every frame, in the camera's frame."""
    result: FitResult = fit_media(job.video(), config=job.recipe.fit.config, gate=job.recipe.fit.gate,
                                  model=job.recipe.fit.model or None)
    result.seq.save(job.out / FIT)
    report = result.report()
    return {"camera": report["camera"], "quality": report["quality"], "notes": report["notes"],
            "frames": len(result.seq), "fps": result.seq.fps, "head": report["head"],
            "valid": round(float(result.seq.valid.mean()), 4)}


def facts(job: Job) -> dict[str, Any]:
    """The clips as they are stored, and what they show; for a performed one also what is true."""
    cfg = job.recipe.facts
    seq = FaceSequence.load(job.path("fit", FIT), default_head().ref)
    found = windows(seq, cfg.min_seconds, cfg.max_seconds, cfg.prepare.canonical.bridge)
    if not found:
        raise ValueError(f"no stretch of {cfg.min_seconds:g} s has a fit ({seq.valid.mean():.0%} of {seq.seconds:.2f} s do)")
    truth = None
    if (true_clip := truth_path(job.path("video", VIDEO))).is_file():
        truth = FaceSequence.load(true_clip, seq.head)
    parts = []
    for k, piece in enumerate(found):
        clip = normalise(seq.slice(piece.start, piece.stop), cfg.prepare, filmed=True).seq
        clip.save(job.out / part_name(k))
        shown = measure(clip, default_head())
        part: dict[str, Any] = {"start": round(piece.start / seq.fps, 4), "seconds": clip.seconds, "facts": as_facts(shown),
                                "emotion": shown.emotion.dominant, "valid": round(float(clip.valid.mean()), 4)}
        if truth is not None:
            low, high = (round(at * truth.fps / seq.fps) for at in (piece.start, piece.stop))
            true = measure(normalise(truth.slice(low, high), cfg.prepare, filmed=True).seq, default_head())
            part |= {"true_facts": as_facts(true), "true_emotion": true.emotion.dominant}
        parts.append(part)
    return {"parts": parts}


def captions(job: Job) -> dict[str, Any]:
    """Words from the measured facts, and whether these agree with what was asked for."""
    cfg = job.recipe.captions
    split = split_of_clip(job.recipe, job.records["prompts"])
    asked = job.records["prompts"].data
    subject = asked["attributes"].get("gender") or (job.script.subject if job.script else "person")
    parts = []
    for k in range(len(job.records["facts"].data["parts"])):
        clip = FaceSequence.load(job.path("facts", part_name(k)), default_head().ref)
        shown = measure(clip, default_head())
        texts = texts_for(shown, clip.seconds, job.rng(2, k), split, n_captions=cfg.captions, n_questions=cfg.questions,
                          subject=subject)
        parts.append({**texts.columns(), "agreement": _agreement(asked, job.script, shown)})
    return {"parts": parts}


def _agreement(asked: dict[str, Any], script: Schedule | None, shown: Measurement) -> dict[str, Any]:
    """Flags of a clip that does not show what was asked for; spontaneous blinks do not count."""
    if script is not None:
        missing = [a for a in script.expected_actions() if a not in shown.names]
        allowed = script.allowed_actions() | {"blink"}
        extra = [a for a in shown.names if a not in allowed]
        return {"against": "script", "agrees": not missing, "missing": missing, "extra": extra}
    if asked["attributes"]:
        agreed = agreement(asked["attributes"], shown)
        return {"against": "prompt", "agrees": not agreed.flagged, "missing": list(agreed.missing), **agreed.to_dict()}
    return {}


def keep(job: Job) -> dict[str, Any]:
    """Stage filter: which parts stay, and why the others do not."""
    gates, fitted = job.recipe.filter, job.records["fit"].data
    quality = fitted["quality"]
    whole = list(quality["reasons"]) if gates.gate and not quality["ok"] else []
    error = quality["reprojection"]
    if fitted["valid"] < gates.min_valid:
        whole.append(f"only {fitted['valid']:.0%} of the frames have a trusted fit (filter.min_valid {gates.min_valid:.0%})")
    if error is None or error > gates.max_error:
        said = "unknown" if error is None else f"{error:.1f} %"
        whole.append(f"reprojection error {said} of inter-ocular distance (filter.max_error {gates.max_error:g} %)")
    if quality["confidence"] < gates.min_confidence:
        whole.append(f"confidence {quality['confidence']:.2f} (filter.min_confidence {gates.min_confidence:g})")
    parts = []
    for words in job.records["captions"].data["parts"]:
        reasons = list(whole)
        events = len(json.loads(words["script"])["events"])
        if events < gates.min_events:
            reasons.append(f"{events} events (filter.min_events {gates.min_events})")
        if gates.agree and not words["agreement"].get("agrees", True):
            reasons.append(f"does not show {', '.join(words['agreement'].get('missing', [])) or 'what was asked for'}")
        parts.append({"kept": not reasons, "reasons": reasons})
    return {"parts": parts}


def split(job: Job) -> dict[str, Any]:
    """train, val or test, of the clip and so of all its parts."""
    return {"split": split_of_clip(job.recipe, job.records["prompts"])}


def split_of_clip(recipe: Recipe, asked: Record) -> str:
    """The split that a clip belongs to; known before anything is rendered."""
    rule = recipe.split.rule
    if rule == "structure" or rule == "auto" and recipe.backend == "performer":
        return split_of(Schedule.from_json(asked.data["script"]))
    return split_of_source(asked.data["group"], recipe.split.val, recipe.split.test)


def part_name(index: int) -> str:
    """The file of one stored clip."""
    return f"part-{index:03d}.npz"


@cache
def default_head() -> HeadModel:
    """The head that everything is fitted with."""
    return HeadModel.default()


def _pictures(recipe: Recipe) -> Any:
    """What decides the pictures."""
    if recipe.backend == "performer":
        return asdict(recipe.video.footage)
    model = recipe.video.t2v if recipe.backend == "t2v" else None
    return [model.model, model.revision, model.settings] if model else None


# -- the chain ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Stage:
    """A step of the build."""

    name: str
    version: int
    """Counted up when the code makes something else of the same input."""
    run: Callable[[Job], dict[str, Any]]
    settings: Callable[[Recipe], Any]
    """The part of the recipe that it depends on."""
    reads: tuple[str, ...] = ()
    """Stages whose records determine its output."""


CHAIN: tuple[Stage, ...] = (
    Stage("prompts", 1, prompts, lambda r: [r.backend, r.seed, asdict(r.prompts) if r.prompts.source == "scripts" else "suite"]),
    Stage("video", 1, video, lambda r: [r.backend, r.seed, _pictures(r), r.video.licence], ("prompts",)),
    Stage("fit", 1, fit, lambda r: asdict(r.fit), ("video",)),
    Stage("facts", 1, facts, lambda r: asdict(r.facts), ("video", "fit")),
    Stage("captions", 1, captions, lambda r: [r.seed, asdict(r.captions), asdict(r.split)], ("prompts", "facts")),
    Stage("filter", 1, keep, lambda r: asdict(r.filter), ("fit", "captions")),
    Stage("split", 1, split, lambda r: asdict(r.split), ("prompts",)),
)
NAMES: tuple[str, ...] = tuple(s.name for s in CHAIN)
_VIDEO = CHAIN[NAMES.index("video")]
_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENOMEM, errno.EROFS)
"""Errors of the machine, not of a clip."""
NEEDS: dict[str, str] = {"fit": VIDEO, "facts": TRUTH}
"""Files of the stage video that a stage reads; videos are removed once they are fitted."""


@dataclass(frozen=True)
class Done:
    """What became of one clip."""

    id: str
    ran: dict[str, float]
    """Processor-seconds of every stage that had to run."""
    failed: str = ""
    """The stage at which the clip was given up."""
    reason: str = ""


def processor_seconds() -> float:
    """What this process and the encoders that it started have used so far, all threads together."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def stage_key(stage: Stage, recipe: Recipe, item: Item, records: dict[str, Record]) -> str:
    """Hash of everything that determines what the stage makes of the clip."""
    own = [item.id, item.index, item.spec] if not stage.reads else [item.id]
    return digest([stage.name, stage.version, stage.settings(recipe), own, [records[r].output for r in stage.reads]])


def run_clip(store: Store, recipe: Recipe, item: Item, *, retry: bool = False) -> Done:
    """Bring one clip up to date: run what is missing or was made with something else.

    Args:
        store: the working folder.
        recipe: what to make.
        item: the clip.
        retry: run stages again that failed on this clip before.

    Raises:
        ImportError, MemoryError, OSError: the trouble is the machine's (a library is missing, the disk is full):
            nothing is recorded and the build stops.
    """
    records: dict[str, Record] = {}
    ran: dict[str, float] = {}
    for stage in CHAIN:
        key = stage_key(stage, recipe, item, records)
        known = store.done(stage.name, item.id, key, files=stage.name != "video")
        if known is None or (retry and not known.ok):
            if (name := NEEDS.get(stage.name)) and not _is_there(store, records["video"], name):
                began = processor_seconds()  # a video that was removed after an earlier fit is made again
                before = {k: v for k, v in records.items() if k != "video"}
                records["video"] = _run(_VIDEO, records["video"].key, Job(recipe, store, item, before, store.folder))
                ran["video"] = ran.get("video", 0.0) + processor_seconds() - began
            began = processor_seconds()
            known = _run(stage, key, Job(recipe, store, item, records, store.folder))
            ran[stage.name] = processor_seconds() - began
        records[stage.name] = known
        if stage.name in NEEDS and recipe.backend == "performer" and not recipe.video.keep:
            store.drop_file(records["video"], VIDEO)
        if not known.ok:
            return Done(item.id, ran, stage.name, known.reason)
    return Done(item.id, ran)


def _is_there(store: Store, record: Record, name: str) -> bool:
    """Whether a file of the stage video is there, or was never made."""
    return name not in record.files or (store.place("video", record.id) / name).is_file()


def _run(stage: Stage, key: str, job: Job) -> Record:
    store, clip = job.store, job.item.id
    with store.scratch(stage.name, clip) as scratch:
        try:
            data = stage.run(replace(job, out=scratch))
        except Exception as err:  # one bad clip must not stop the others, whatever a decoder throws at it
            if isinstance(err, (ImportError, MemoryError)) or getattr(err, "errno", None) in _MACHINE:
                raise
            return store.commit(stage.name, clip, key, {}, None, reason_of(err, job))
        return store.commit(stage.name, clip, key, data, scratch)


def reason_of(err: Exception, job: Job) -> str:
    """One line without paths of this machine, so that a failure list is the same wherever the build ran."""
    text = one_line(err) or type(err).__name__
    for path, name in ((job.out, "."), (job.store.place("video", job.item.id), "."), (job.store.folder, "."),
                       (job.recipe.video.folder or "\0", ".")):
        text = text.replace(str(path), name)
    known = isinstance(err, (ValueError, OSError))
    return (text if known else f"{type(err).__name__}: {text}")[:500]


def give_up(store: Store, recipe: Recipe, item: Item, reason: str) -> Done:
    """Record a failure at the stage that a clip has reached, from outside its process."""
    records: dict[str, Record] = {}
    for stage in CHAIN:
        key = stage_key(stage, recipe, item, records)
        known = store.done(stage.name, item.id, key, files=stage.name != "video")
        if known is None:
            store.commit(stage.name, item.id, key, {}, None, reason)
            return Done(item.id, {}, stage.name, reason)
        records[stage.name] = known
    return Done(item.id, {})
