"""The dataset card of a corpus: how it was made, and its statistics, counted from the files; the text is in card.jinja."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import atomic_file, write_json, write_text
from ...face.facs.schedule import Schedule
from ...face.facs.vocabulary import ACTIONS
from .recipe import Recipe
from .shards import MOTION, arrow
from .splits import has_reserved_pair, reserved_pairs

TEMPLATE = Path(__file__).with_name("card.jinja")


@dataclass
class _Counts:
    """Statistics of all rows."""

    events: Counter[str] = field(default_factory=Counter)
    """Events of the scripts by name."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Clips by number of events."""
    kinds: Counter[str] = field(default_factory=Counter)
    registers: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    """Measured actions."""
    true: Counter[str] = field(default_factory=Counter)
    """Actions measured on the true motion."""
    emotions: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    reserved: Counter[str] = field(default_factory=Counter)
    """Clips with a reserved pair, by split."""
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    """Reprojection errors of the fits."""
    words: dict[str, list[int]] = field(default_factory=dict)
    """Lengths of the texts by column, and of the captions by ``register NAME``."""
    captions: set[str] = field(default_factory=set)
    agreeing: int = 0
    compared: int = 0
    """Clips that were compared with what was asked for, and those of them that show it."""
    fps: float = 25.0

    def add(self, row: dict[str, Any]) -> None:
        """Count one row of either kind of corpus."""
        script = Schedule.from_json(row["script"])
        self.events.update(e.name for e in script.events)
        self.reserved[row["split"]] += has_reserved_pair(script)
        self.lengths[row["n_events"]] += 1
        self.kinds.update(row["kinds"])
        self.registers.update(row["registers"])
        self.actions.update(f["name"] for f in json.loads(row["facts"]))
        self.seconds.append(row["seconds"])
        self.captions.update(row["captions"])
        self.fps = row["fps"]
        for column in ("captions", "describe", "questions", "answers"):
            self.words.setdefault(column, []).extend(len(text.split()) for text in row[column])
        for text, register in zip(row["captions"], row["registers"], strict=True):
            self.words.setdefault(f"register {register}", []).append(len(text.split()))
        if "quality" in row:
            self.true.update(f["name"] for f in json.loads(row["true_facts"] or "[]"))
            self.emotions[row["emotion"]] += 1
            self.licences[row["licence"]] += 1
            error = json.loads(row["quality"])["reprojection"]
            self.errors += [] if error is None else [error]
            agreed = json.loads(row["agreement"])
            self.compared += bool(agreed)
            self.agreeing += bool(agreed.get("agrees"))

    def mean_words(self, column: str) -> str:
        """Mean number of words of a text."""
        return f"{np.mean(self.words[column]):.1f}" if self.words.get(column) else "0.0"

    def seconds_row(self) -> tuple[str, str]:
        return ("length, s (mean, shortest, longest)",
                f"{np.mean(self.seconds):.2f}, {min(self.seconds):.2f}, {max(self.seconds):.2f}")

    def lengths_row(self) -> tuple[str, str]:
        return "events in a clip (share)", ", ".join(f"{k}: {v / len(self.seconds):.0%}" for k, v in sorted(self.lengths.items()))

    def captions_row(self) -> tuple[str, str]:
        return "different captions", f"{len(self.captions)} of {len(self.words.get('captions', ()))}"


def _count(folder: Path) -> _Counts:
    seen, parquet = _Counts(), arrow().parquet
    left_out = {*MOTION, "shape", "camera_rotation", "camera_translation"}
    for path in sorted((folder / "data").glob("*.parquet")):
        columns = [c for c in parquet.ParquetFile(path).schema_arrow.names if c not in left_out]
        for row in parquet.read_table(path, columns=columns).to_pylist():
            seen.add(row)
    return seen


def _table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in r) + " |" for r in rows])


def _write(folder: Path, counts: dict[str, int], licence: str, tags: list[str] | None, **values: Any) -> None:
    """Fill the template (https://huggingface.co/docs/huggingface_hub/guides/model-cards)."""
    from huggingface_hub import DatasetCard, DatasetCardData

    files = [{"split": s, "path": f"data/{s}-*.parquet"} for s, n in counts.items() if n]
    data = DatasetCardData(license=licence, language="en", tags=tags,
                           configs=[{"config_name": "default", "data_files": files}])
    data.to_yaml(original_order=["license", "language", "tags", "configs"])  # also puts the entries into this order
    card = DatasetCard.from_template(data, template_path=str(TEMPLATE), total=sum(counts.values()), **values)
    write_text(folder / "README.md", str(card).rstrip("\n") + "\n")


def synth_card(folder: Path, clips: int, seed: int, counts: dict[str, int]) -> None:
    """Write ``README.md`` and ``statistics.json`` of a synthetic corpus.

    Args:
        folder: the corpus.
        clips: number of clips, for the text.
        seed: of the corpus, for the text.
        counts: clips in each split.
    """
    seen = _count(folder)
    total = sum(counts.values())
    stats = [
        seen.seconds_row(), seen.lengths_row(),
        ("words in a caption", seen.mean_words("captions")), ("words in a description", seen.mean_words("describe")),
        ("words in a question, in an answer", f"{seen.mean_words('questions')}, {seen.mean_words('answers')}"),
        seen.captions_row(),
        ("registers (share, words)", ", ".join(f"{k} {v / seen.registers.total():.0%} ({seen.mean_words(f'register {k}')})"
                                               for k, v in seen.registers.most_common())),
        ("questions (share)", ", ".join(f"{k} {v / max(seen.kinds.total(), 1):.0%}" for k, v in seen.kinds.most_common())),
    ]
    _write(folder, counts, "apache-2.0", None, title="A synthetic corpus of facial motion and words", script_corpus=True,
           hours=f"{sum(seen.seconds) / 3600:.1f}", fps=25, clips=clips, seed=seed, pairs=len(reserved_pairs()),
           splits="\n".join(f"| {s} | {n} | {n / total:.1%} | {seen.reserved[s]} |" for s, n in counts.items()),
           stats=_table(stats, ("what", "value")),
           balance=_table([(n, c, f"{c / seen.events.total():.1%}") for n, c in seen.events.most_common()],
                          ("name", "events", "share")))
    write_json(folder / "statistics.json", {"counts": counts, "hours": round(sum(seen.seconds) / 3600, 3),
                                            "events": dict(sorted(seen.events.items()))})


def build_card(folder: Path, recipe: Recipe, asked: int, failures: dict[str, int], counts: dict[str, int],
               true: bool = False) -> None:
    """Write ``README.md``, ``statistics.json`` and, with matplotlib, ``balance.png`` beside the data of a built corpus.

    Args:
        folder: the corpus.
        recipe: how it was made.
        asked: clips asked for.
        failures: clips given up at each stage.
        counts: clips in each split.
        true: the corpus of the commanded motion.
    """
    seen = _count(folder)
    total = sum(counts.values())
    stats = [seen.seconds_row(), seen.lengths_row(),
             ("words in a caption", seen.mean_words("captions") if seen.words.get("captions") else "-"), seen.captions_row(),
             ("questions (share)", ", ".join(f"{k} {v / max(seen.kinds.total(), 1):.0%}" for k, v in _most(seen.kinds)))]
    if not true:
        errors = np.array(seen.errors or [np.nan])
        stats += [("dominant emotion (share)", ", ".join(f"{k} {v / total:.0%}" for k, v in _most(seen.emotions))),
                  ("reprojection error, % of inter-ocular distance (median, 95th percentile)",
                   f"{np.median(errors):.2f}, {np.percentile(errors, 95):.2f}")]
        if seen.compared:
            stats.append(("clips that show what was asked for", f"{seen.agreeing} of {seen.compared}"))
        stats.append(("licences of the videos", ", ".join(f"{k or 'not stated'} ({v})" for k, v in _most(seen.licences))))
    both = bool(seen.true)
    rows = [(n, seen.actions[n], f"{seen.actions[n] / total:.1%}", *([seen.true[n]] if both else []))
            for n in sorted(ACTIONS, key=lambda n: (-seen.actions[n], n)) if seen.actions[n] or seen.true[n]]
    _write(folder, counts, "apache-2.0" if true or recipe.backend == "performer" else "other",
           ["facial-animation", "motion", "3d"], script_corpus=False, backend=recipe.backend, commanded=true,
           title="A corpus of performed facial motion and words" if true else "A corpus of fitted facial motion and words",
           hours=f"{sum(seen.seconds) / 3600:.2f}", fps=f"{seen.fps:g}", asked=asked, lost=sum(failures.values()),
           splits="\n".join(f"| {s} | {n} | {n / total:.1%} |" for s, n in counts.items()),
           stats=_table(stats, ("what", "value")),
           balance=_table(rows, ("action", "times", "per clip", *(["in the true motion"] if both else []))),
           failures=_table(list(failures.items()), ("stage", "clips")) if failures else "Nothing.",
           plotted=recipe.pack.plots and _plot(folder, seen))
    figures = {"counts": counts, "hours": round(sum(seen.seconds) / 3600, 4), "asked": asked, "failures": failures,
               "actions": dict(sorted(seen.actions.items())), "true_actions": dict(sorted(seen.true.items())),
               "emotions": dict(sorted(seen.emotions.items()))}
    write_text(folder / "statistics.json", json.dumps(figures, indent=2, sort_keys=True) + "\n")


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; ties by name, so that the card does not depend on the order of the rows."""
    return sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))


def _plot(folder: Path, seen: _Counts) -> bool:
    """Bars of actions, emotions and lengths; False without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.3, 1))
    names = sorted((n for n in ACTIONS if seen.actions[n] or seen.true[n]), key=lambda n: (seen.actions[n], n))
    axes = figure.add_subplot(grid[:, 0])
    at = np.arange(len(names))
    axes.barh(at, [seen.actions[n] for n in names], 0.4 if seen.true else 0.8, label="measured on the fit")
    if seen.true:
        axes.barh(at + 0.4, [seen.true[n] for n in names], 0.4, label="in the true motion")
        axes.legend(fontsize=8)
    axes.set_yticks(at, names, fontsize=7)
    axes.set_title("Actions", fontsize=9)
    top, middle = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    top.hist(seen.seconds, bins=24)
    top.set_title("Length of the clips, s", fontsize=9)
    if seen.errors:
        middle.hist(seen.errors, bins=24)
        middle.set_title("Reprojection error, % of inter-ocular distance", fontsize=9)
    else:
        middle.bar([str(k) for k in sorted(seen.lengths)], [seen.lengths[k] for k in sorted(seen.lengths)])
        middle.set_title("Events in a clip", fontsize=9)
    with atomic_file(folder / "balance.png") as partial:
        # without metadata: the picture depends on nothing but the counts
        figure.savefig(partial, format="png", dpi=90, metadata={"Software": None})
    return True
