"""`facelm eval`: Language2Motion and Motion2Language on the test split, beside three references.

Language2Motion: the geometric measurement of the generated motion against what the prompt's
script asks for. Motion2Language: the actions that the model's description names against the
script. References: the true clip or text, the nearest training item, a random training item.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..common.progress import Progress, silent
from ..data_gen.text.parser import text_facts
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle
from ..face.facs.measure import measure
from ..face.facs.schedule import Schedule
from ..face.head.model import HeadModel
from ..tokenizer.features import to_features
from .items import Item
from .metrics import Counts, Detection, OrderScore, bootstrap_interval, count_actions, expand, order_score
from .retrieval import nearest
from .table import Table


@dataclass(frozen=True)
class Row:
    """One line of the report; shares in [0, 1]."""

    name: str
    recall: float
    precision: float
    f1: float
    order: float | None
    """Share of the multi-event items in which every pair of found events is in order; items in which
    fewer than two are found do not count. None where order is not defined."""
    order_strict: float | None
    """The same, with a missing event counted as wrong."""
    recall_interval: tuple[float, float] = (0.0, 0.0)
    precision_interval: tuple[float, float] = (0.0, 0.0)
    f1_interval: tuple[float, float] = (0.0, 0.0)


@dataclass
class Report:
    """All rows of both directions, and where the numbers come from."""

    items: int
    train_items: int = 0
    """Training items that retrieval and chance draw from."""
    seed: int = 0
    candidates: int | None = None
    temperature: float = 0.0
    l2m: list[Row] = field(default_factory=list)
    m2l: list[Row] = field(default_factory=list)
    per_action: dict[str, dict[str, float]] = field(default_factory=dict)
    """Language2Motion recall of each action: {"asked", "found"}."""
    examples: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def table(self) -> str:
        """Plain-text tables."""
        tables = []
        for title, rows in (("Language2Motion", self.l2m), ("Motion2Language", self.m2l)):
            if rows:
                cells = [(r.name, *("-" if v is None else f"{v:.3f}" for v in
                                    (r.recall, r.precision, r.f1, r.order, r.order_strict))) for r in rows]
                low, high = rows[0].f1_interval
                tables.append(Table(title, f"{title} ({self.items} test items)",
                                    ("", "recall", "precision", "F1", "order", "strict"), tuple(cells),
                                    (f"95 % interval of the first row's F1: {low:.3f} to {high:.3f}",)).text())
        return "\n".join(tables)


def detections(clip: FaceSequence, head: HeadModel) -> list[Detection]:
    """The measured actions of a clip."""
    return [Detection(a.name, a.onset) for a in measure(clip, head).actions]


def score_motion(name: str, scripts: Sequence[Schedule], found: Sequence[Sequence[Detection]],
                 seconds: Sequence[float] | None = None) -> Row:
    """A Language2Motion row: the measured actions of one clip for each script.

    Args:
        seconds: durations of the clips, for the pace at which events are due; the scripts' own when None.
    """
    counts = [count_actions(s, {d.name for d in f}) for s, f in zip(scripts, found, strict=True)]
    lengths = [s.seconds for s in scripts] if seconds is None else seconds
    orders = [o for s, f, n in zip(scripts, found, lengths, strict=True)
              if (o := order_score(s, f, [e.start * n / s.seconds for e in s.events])) is not None]
    return _row(name, counts, orders)


def score_text(name: str, scripts: Sequence[Schedule], texts: Sequence[str], spontaneous: bool = False) -> Row:
    """A Motion2Language row: what each text names against its clip's script.

    Args:
        spontaneous: the clips blink of themselves, so a text may say so.
    """
    read = [text_scores(s, t, spontaneous) for s, t in zip(scripts, texts, strict=True)]
    return _row(name, [c for c, _ in read], [o for _, o in read if o is not None])


def text_scores(script: Schedule, text: str, spontaneous: bool = False) -> tuple[Counts, OrderScore | None]:
    """What one text names against its clip's script, and its order (None where the script has none)."""
    groups = text_facts(text).groups
    counts = count_actions(script, expand(n for g in groups for n in g), spontaneous)
    # what a text says to happen together has no order; emotions stand for their actions
    spread = [Detection(a, float(i)) for i, g in enumerate(groups) for n in g for a in sorted(expand([n]))]
    due = np.linspace(0, max(0, len(groups) - 1), len(script.events)).tolist()
    return counts, order_score(script, spread, due)


def _row(name: str, counts: Sequence[Counts], orders: Sequence[OrderScore]) -> Row:
    total = sum(counts, Counts())
    scored = [o for o in orders if o.scored]
    return Row(
        name, total.recall, total.precision, total.f1,
        order=float(np.mean([o.right for o in scored])) if scored else None,
        order_strict=float(np.mean([o.right and o.complete for o in orders])) if orders else None,
        recall_interval=bootstrap_interval(counts, "recall"), precision_interval=bootstrap_interval(counts, "precision"),
        f1_interval=bootstrap_interval(counts, "f1"))


def evaluate(lm: Any, items: Sequence[Item], train: Sequence[Item], only: str | None = None, seed: int = 0,
             temperature: float = 0.5, progress: Progress = silent, candidates: int | None = None) -> Report:
    """Evaluate both directions of a language model.

    ``lm`` is a :class:`facelm.FaceLM` or anything with its ``generate_many``, ``describe_many``, ``head`` and ``tokenizer``.

    Args:
        items: test items.
        train: training items, for retrieval and chance.
        only: ``"l2m"`` or ``"m2l"`` for one direction.
        seed, temperature, candidates: of the generated clips; ``candidates`` None is the agent's own default.
        progress: its stages say what is generated, measured or described.

    Raises:
        ValueError: no items.
    """
    if not items or not train:
        raise ValueError("evaluation needs test items and training items (for retrieval and chance)")
    started = time.monotonic()
    report = Report(items=len(items), train_items=len(train), seed=seed, temperature=temperature, candidates=candidates)
    rng = np.random.default_rng(seed)
    chance = [train[int(k)] for k in rng.integers(len(train), size=len(items))]
    if only != "m2l":
        _to_motion(report, lm, items, train, chance, progress)
    if only != "l2m":
        _to_language(report, lm, items, train, chance, progress)
    report.seconds = time.monotonic() - started
    return report


def _to_motion(report: Report, lm: Any, items: Sequence[Item], train: Sequence[Item], chance: Sequence[Item],
               progress: Progress) -> None:
    """Fill in the rows of Language2Motion."""
    scripts = [i.script for i in items]
    extra = {} if report.candidates is None else {"candidates": report.candidates}
    clips = lm.generate_many([i.prompt for i in items], seed=report.seed, idle=False, temperature=report.temperature,
                             progress=lambda done, of, _="": progress(done, of, "generating"), **extra)
    near = nearest([t.prompt for t in train], [i.prompt for i in items])
    rebuilt = [lm.tokenizer.decode(lm.tokenizer.encode(Normalised(i.clip)), head=lm.head) for i in items]
    made: list[list[Detection]] = []
    for name, shown in (
        ("language model", clips),
        ("ground truth", [i.clip for i in items]),
        ("ground truth through tokenizer", rebuilt),
        ("nearest training text", [train[k].clip for k in near]),
        ("random training clip", [c.clip for c in chance]),
    ):
        found = []
        for k, clip in enumerate(shown):
            found.append(detections(clip, lm.head))
            progress(k + 1, len(items), f"measuring: {name}")
        made = made or found
        report.l2m.append(score_motion(name, scripts, found, [c.seconds for c in shown]))
    report.per_action = _per_action(scripts, made)
    report.examples += [{"prompt": i.prompt, "measured": ", ".join(dict.fromkeys(d.name for d in f))}
                        for i, f in list(zip(items, made, strict=True))[:10]]


def _to_language(report: Report, lm: Any, items: Sequence[Item], train: Sequence[Item], chance: Sequence[Item],
                 progress: Progress) -> None:
    """Fill in the rows of Motion2Language."""
    scripts, seed = [i.script for i in items], report.seed
    progress(0, len(items), "describing")
    texts = lm.describe_many([i.clip for i in items], model=True)
    idle_texts = lm.describe_many([add_idle(i.clip, seed=seed + k) for k, i in enumerate(items)], model=True)
    progress(len(items), len(items), "describing")
    near = nearest(_as_words(lm, [t.clip for t in train]), _as_words(lm, [i.clip for i in items]))
    for name, words in (
        ("language model", texts),
        ("language model, clips with idle", idle_texts),
        ("ground truth", [i.description for i in items]),
        ("nearest training motion's text", [train[k].description for k in near]),
        ("random training text", [c.description for c in chance]),
    ):
        report.m2l.append(score_text(name, scripts, words, spontaneous="idle" in name))
    report.examples += [{"true": i.description, "said": t} for i, t in list(zip(items, texts, strict=True))[:10]]


def _as_words(lm: Any, clips: Sequence[FaceSequence]) -> list[str]:
    """Each clip's codes as words, without the pauses."""
    tokenizer = lm.tokenizer
    layout = tokenizer.layout
    codes = tokenizer.encode_features([to_features(c.resample(tokenizer.config.fps)) for c in clips])
    return [" ".join(f"m{i}" for i in layout.encode(c) if i < layout.n_codes) for c in codes]


def _per_action(scripts: Sequence[Schedule], found: Sequence[Sequence[Detection]]) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for script, seen in zip(scripts, found, strict=True):
        names = {d.name for d in seen}
        for action in script.expected_actions():
            entry = out.setdefault(action, {"asked": 0, "found": 0})
            entry["asked"] += 1
            entry["found"] += action in names
    return dict(sorted(out.items()))
