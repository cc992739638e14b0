"""How balanced a prompt suite is: chi-square for every factor and pair of factors, tables and plots.

A factor is compared with its design: what a value's share should be, given everything that was settled
before it (a beard is expected of grown men only). Pairs whose dependence the rules of
factors.py create are listed with their strength (Cramer's V) but not tested; for the others the
p-values of Pearson's test of independence are compared with a Bonferroni bound.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ...common.files import atomic_file, write_json, write_text
from ..text.lexicon import NONE, WORDS
from .factors import DRAWN, emotion_of_word, has_strength, parents, values_of
from .suite import Design, Prompt, PromptConfig, Tally

ALPHA = 0.01
"""Chance that a balanced suite is called unbalanced."""
SPARSE = 5.0
"""Expected counts below this make a chi-square p-value unreliable."""


@dataclass(frozen=True)
class FactorBalance:
    """One factor against its design; ``of`` counts the prompts in which it is decided (strength: something to grade)."""

    factor: str
    counts: dict[str, int]
    expected: dict[str, float]
    of: int
    chi2: float
    dof: int
    p: float
    sparse: bool


@dataclass(frozen=True)
class PairBalance:
    """Two factors against independence; where the rules make them depend on each other (``designed``) it is not tested."""

    a: str
    b: str
    chi2: float
    dof: int
    p: float
    cramers_v: float
    designed: bool
    sparse: bool


@dataclass(frozen=True)
class BalanceReport:
    """Balance of a whole suite."""

    prompts: int
    mode: str
    emotion_words: int
    factors: tuple[FactorBalance, ...]
    pairs: tuple[PairBalance, ...]
    duplicates: Tally | None

    @property
    def bound(self) -> float:
        """p-values below this one count as imbalance: ALPHA over the number of tests."""
        return ALPHA / max(1, len(self.factors) + sum(not p.designed for p in self.pairs))

    @property
    def unbalanced(self) -> tuple[str, ...]:
        """Factors and undesigned pairs that fail their test."""
        found = [f.factor for f in self.factors if f.p < self.bound and not f.sparse]
        return (*found, *(f"{p.a} x {p.b}" for p in self.pairs if not p.designed and not p.sparse and p.p < self.bound))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with what counts as imbalance."""
        return {**asdict(self), "bound": self.bound, "unbalanced": list(self.unbalanced)}

    def markdown(self) -> str:
        """The report as a page."""
        said = f"{self.prompts:,} prompts, {self.mode} design, {self.emotion_words} emotion words."
        if t := self.duplicates:
            said += f"\n{t.candidates:,} candidates were drawn; {t.exact:,} exact and {t.near:,} near duplicates left out."
        said += (f"\nA p-value below {self.bound:.2g} would count as imbalance; "
                 f"found: {', '.join(self.unbalanced) or 'none'}.")
        few = {True: " (few of each)", False: ""}
        factors = [(f.factor, f"{f.of:,}", f"{f.chi2:.1f}", f.dof, f"{f.p:.3f}{few[f.sparse]}", ", ".join(
            f"{v} {f.counts[v]:,}" for v in (min(f.counts, key=f.counts.__getitem__), max(f.counts, key=f.counts.__getitem__))))
            for f in self.factors]
        pairs = [(f"{p.a} x {p.b}", f"{p.chi2:.1f}", p.dof, "by design" if p.designed else f"{p.p:.3f}{few[p.sparse]}",
                  f"{p.cramers_v:.3f}") for p in sorted(self.pairs, key=lambda p: (p.designed, p.p))]
        counts = [f"- {f.factor}: " + ", ".join(f"{v} {n:,}" for v, n in f.counts.items())
                  for f in self.factors if f.factor != "word"]
        return "\n\n".join((
            "# Balance of the prompt suite", said, "## Factors against the design",
            _table(("factor", "prompts:", "chi-square:", "dof:", "p:", "least and most frequent value"), factors),
            "## Pairs of factors against independence", _table(("pair", "chi-square:", "dof:", "p:", "Cramer's V:"), pairs),
            "## Counts", "\n".join(counts))) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a column whose name ends in a colon is aligned to the right."""
    lines = [[h.removesuffix(":") for h in head], *rows]
    out = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    out.insert(1, "|" + "|".join("---:" if h.endswith(":") else "---" for h in head) + "|")
    return "\n".join(out)


def _factor(design: Design, factor: str, rows: list[dict[str, str]]) -> FactorBalance:
    counts = Counter(r[factor] for r in rows)
    expected = _expected(design, factor, rows)
    if stray := [v for v in counts if expected.get(v, 0.0) < 1e-9]:
        raise ValueError(f"the prompts have a value that their configuration excludes: {stray[0]!r}; "
                         "give the configuration that they were made with")
    values = [v for v, e in expected.items() if e > 1e-9]
    test = stats.chisquare([counts[v] for v in values], [expected[v] for v in values])
    p = float(test.pvalue) if len(values) > 1 else 1.0
    return FactorBalance(factor, {v: counts[v] for v in expected}, {v: round(e, 3) for v, e in expected.items()},
                         len(rows), float(test.statistic), len(values) - 1, p, min(expected[v] for v in values) < SPARSE)


def _expected(design: Design, factor: str, rows: list[dict[str, str]]) -> dict[str, float]:
    """How often each value should occur, given what was settled before it."""
    cross = design.config.cross
    if design.plan and (factor in cross or (factor == "emotion" and "word" in cross)):
        plan = design.plan
        if factor == "intensity":  # tested on the graded prompts only
            plan = [c for c in plan if c.get("word", NONE) == NONE or WORDS[c["word"]].graded]
        shares = Counter(c[factor] if factor in c else emotion_of_word(c["word"]) for c in plan)
        return {v: len(rows) * n / shares.total() for v, n in shares.items()}
    expected: dict[str, float] = {}
    before = [f for f in design.order[: design.order.index(factor)] if f in parents(factor, design.order)]
    for key, n in Counter(tuple(r[f] for f in before) for r in rows).items():
        allowed = design.allowed(factor, dict(zip(before, key, strict=True)))
        for value, times in Counter(allowed).items():
            expected[value] = expected.get(value, 0.0) + n * times / len(allowed)
    return expected


def _pair(a: str, b: str, rows: list[dict[str, str]], designed: bool) -> PairBalance:
    table = stats.contingency.crosstab([r[a] for r in rows], [r[b] for r in rows]).count
    test = stats.chi2_contingency(table, correction=False)
    v = float(np.sqrt(test.statistic / len(rows) / max(1, min(table.shape) - 1)))
    return PairBalance(a, b, float(test.statistic), int(test.dof), float(test.pvalue), v, designed,
                       bool(test.expected_freq.min() < SPARSE))


def balance(prompts: Sequence[Prompt], config: PromptConfig | None = None, *, seed: int = 0,
            tally: Tally | None = None) -> BalanceReport:
    """Test a suite against its design.

    Args:
        prompts: the suite.
        config, seed: with which it was made; None is the default configuration.
        tally: of the sampling, for the number of duplicates.

    Raises:
        ValueError: no prompts, or values that the configuration excludes.
    """
    if not prompts:
        raise ValueError("no prompts to report on")
    cfg = config or PromptConfig()
    design = Design(cfg, seed)
    rows = [values_of(p.attributes) for p in prompts]
    graded = [r for r in rows if has_strength(r)]
    of = {f: graded if f == "intensity" else rows for f in DRAWN}
    factors = tuple(_factor(design, f, of[f]) for f in DRAWN if of[f])
    above = {f: parents(f, design.order) | {f} for f in DRAWN}
    pairs = tuple(
        _pair(a, b, of["intensity"] if "intensity" in (a, b) else rows, bool(above[a] & above[b]))
        for a, b in combinations([f for f in DRAWN if f != "word" and of[f]], 2))
    return BalanceReport(len(prompts), cfg.mode, len({r["word"] for r in rows} - {NONE}), factors, pairs, tally)


def write_report(report: BalanceReport, folder: str | os.PathLike[str]) -> list[Path]:
    """Write ``balance.md`` and ``balance.json``, and with matplotlib ``balance.png`` and ``pairs.png``."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    out = [target / "balance.md", target / "balance.json"]
    write_text(out[0], report.markdown())
    write_json(out[1], report.as_dict(), indent=1)
    with suppress(ImportError):  # without matplotlib the tables say the same; plots come with facelm[notebooks]
        out += _plots(report, target)
    return out


def _plots(report: BalanceReport, target: Path) -> list[Path]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [f for f in report.factors if f.factor != "word"]
    bars = Figure(figsize=(15, 3 * -(-len(shown) // 4)), layout="constrained")
    for k, f in enumerate(shown, start=1):
        ax, at = bars.add_subplot(-(-len(shown) // 4), 4, k), np.arange(len(f.counts))
        ax.bar(at, list(f.counts.values()), color="#5b8db8")
        ax.plot(at, list(f.expected.values()), "_", color="#b03a2e", markersize=9)
        ax.set_xticks(at, list(f.counts), rotation=90, fontsize=6)
        ax.set_title(f"{f.factor} (p = {f.p:.2f})", fontsize=9)
    names = [f.factor for f in shown]
    grid = np.full((len(names), len(names)), np.nan)
    for p in report.pairs:
        grid[names.index(p.a), names.index(p.b)] = grid[names.index(p.b), names.index(p.a)] = p.cramers_v
    heat = Figure(figsize=(8, 7), layout="constrained")
    ax = heat.subplots()
    image = ax.imshow(grid, vmin=0, vmax=1, cmap="viridis")
    ax.set_xticks(np.arange(len(names)), names, rotation=90)
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_title("Cramer's V between factors")
    heat.colorbar(image)
    out = []
    for figure, name in ((bars, "balance.png"), (heat, "pairs.png")):
        FigureCanvasAgg(figure)
        with atomic_file(target / name) as partial:
            figure.savefig(partial, format="png", dpi=90)
        out.append(target / name)
    return out
