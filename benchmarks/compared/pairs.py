"""Texts, their scripts and performances: what peers and our model learn from alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...agent.learning.pieces import pieces_of
from ...agent.learning.readings import make_pairs, reading
from ...common.files import atomic_file
from ...common.progress import Progress, silent
from ...data_gen.corpus.shards import iter_corpus, load_clip
from ...data_gen.corpus.workers import WorkerPool
from ...data_gen.performer.animator import perform
from ...data_gen.performer.layout import lay_out
from ...eval.baselines.motion.config import DataConfig
from ...eval.baselines.motion.data import Clips
from ...face.clip.sequence import FaceSequence
from ...face.facs.schedule import Schedule
from ...face.facs.script_text import read_script, write_script
from ...face.head.model import HeadModel
from ...llm.data import Piece, Reading
from ...tokenizer.codec import FaceTokenizer

CHUNK = 250


@dataclass(frozen=True)
class Told:
    """A text, its script's line (empty: of a corpus, whose texts have none), and the schedule that performs it, as JSON."""

    texts: tuple[str, ...]
    line: str
    schedule: str


def _chunk(job: tuple[int, int, float]) -> list[Told]:
    """The pairs of one chunk whose scripts can be laid out in at most so many seconds."""
    count, seed, longest = job
    out = []
    for k, pair in enumerate(make_pairs(count, seed)):
        try:
            schedule = lay_out(pair.script, seed + k)
        except ValueError:  # too much for its length
            continue
        if schedule.events and schedule.seconds <= longest:
            out.append(Told((pair.text,), write_script(pair.script), schedule.to_json()))
    return out


def make_told(count: int, seed: int, longest: float, workers: int = 0, progress: Progress = silent) -> list[Told]:
    """About ``count`` texts with scripts as our reader learns from, laid out; the same seed gives the same ones."""
    jobs = [(CHUNK, seed * 1_000_003 + k, longest) for k in range(-(-count // CHUNK))]
    out: list[Told] = []
    with WorkerPool(workers) as pool:
        found: dict[int, list[Told]] = {}
        for n, (k, part) in enumerate(pool.run(_numbered, list(enumerate(jobs)), _lost), 1):
            found[k] = part
            progress(n, len(jobs), "texts")
    for k in sorted(found):
        out += found[k]
    return out[:count]


def _numbered(job: tuple[int, tuple[int, int, float]]) -> tuple[int, list[Told]]:
    return job[0], _chunk(job[1])


def _lost(job: tuple[int, tuple[int, int, float]]) -> tuple[int, list[Told]]:
    raise RuntimeError(f"making texts failed for seed {job[1][1]}")


def corpus_told(corpus: Path, config: DataConfig) -> list[Told]:
    """The rows of a corpus' training split."""
    columns = ("clip_id", "captions", "script")
    rows = iter_corpus(corpus, "train", columns)
    return [Told(tuple(row["captions"]), "", row["script"]) for k, row in enumerate(rows) if not config.clips or k < config.clips]


def kept_told(folder: Path, make: Callable[[], list[Told]], key: dict[str, object]) -> list[Told]:
    """What was made before of the same, from its file in the folder; else it is made."""
    file = folder / "told.jsonl"
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines()
        if lines and json.loads(lines[0]) == key:
            return [Told(tuple(row["texts"]), row["line"], row["schedule"]) for row in map(json.loads, lines[1:])]
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as partial, partial.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps(key) + "\n")
        handle.writelines(json.dumps(vars(told), ensure_ascii=False) + "\n" for told in made)
    return made


def performed(told: Sequence[Told], progress: Progress = silent) -> Iterator[tuple[Sequence[str], FaceSequence]]:
    """Texts and the procedural animator's performances."""
    head = HeadModel.default()
    for k, one in enumerate(told):
        yield one.texts, perform(Schedule.from_json(one.schedule), head)
        progress(k + 1, len(told), "performing")


def corpus_clips(corpus: Path, config: DataConfig) -> Iterator[tuple[Sequence[str], FaceSequence]]:
    """Texts and clips of a corpus, which may be fitted ones."""
    for k, row in enumerate(iter_corpus(corpus, "train")):
        if config.clips and k >= config.clips:
            return
        yield row["captions"], load_clip(row, corpus)


def clips_of(rows: Iterator[tuple[Sequence[str], FaceSequence]], config: DataConfig, device: str) -> Clips:
    """The clips in memory.

    Raises:
        ValueError: there are none.
    """
    clips = Clips.of(rows, config, device)
    if clips is None:
        raise ValueError("there are no clips to train on")
    return clips


def readings_of(told: Sequence[Told]) -> list[Reading]:
    """Texts with their scripts as our model learns to read them."""
    return [reading(text, read_script(one.line)) for one in told for text in one.texts if one.line]


def motion_of(told: Sequence[Told], tokenizer: FaceTokenizer, progress: Progress = silent) -> Iterator[Piece]:
    """The same performances as our model learns to perform them."""
    head = HeadModel.default()
    for low in range(0, len(told), 512):
        part = told[low:low + 512]
        yield from pieces_of([Schedule.from_json(one.schedule) for one in part], tokenizer, head)
        progress(low + len(part), len(told), "tokens")
