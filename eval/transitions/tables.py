"""Tables II to X of Vo et al. with the paper's figures and ours in columns of their own, and two tables on the movement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from . import paper
from .bench import Entry
from .images import Likeness
from .metrics import Spread
from .quality import DynamicsScore

DASH = "-"


@dataclass(frozen=True)
class Table:
    """Cells as text, ready to print."""

    name: str
    """``II`` ... ``X``, ``quality``, ``dynamics``."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(r) != len(self.columns) for r in self.rows):
            raise ValueError(f"table {self.name}: every row needs {len(self.columns)} cells")

    def text(self) -> str:
        """Plain text with aligned columns."""
        lines = [self.columns, *self.rows]
        width = [max(len(r[k]) for r in lines) for k in range(len(self.columns))]
        out = [self.title]
        for i, row in enumerate(lines):
            cells = [row[0].ljust(width[0]), *(c.rjust(w) for c, w in zip(row[1:], width[1:], strict=True))]
            out.append("  " + "  ".join(cells).rstrip())
            if i == 0:
                out.append("  " + "  ".join("-" * w for w in width))
        return "\n".join([*out, *(f"  {n}" for n in self.notes)])

    def markdown(self) -> str:
        """A Markdown table under its title."""
        rule = ["---", *("---:" for _ in self.columns[1:])]
        lines = [self.columns, rule, *self.rows]
        body = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines]
        return "\n".join([f"**{self.title}**", "", *body, *(f"\n{n}" for n in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass
class Results:
    """Everything measured; what was not asked for stays empty. Shares in [0, 1], times in seconds."""

    name: str
    """Of the data set."""
    title: str
    """What the data is."""
    encoder: str = ""
    """The text encoder's name."""
    samples: dict[str, int] = field(default_factory=dict)
    """Samples of each split."""
    classifier: str = ""
    """The judge's title."""
    lm_name: str = "language model"
    main: dict[str, Entry] = field(default_factory=dict)
    """``ground truth``, ``MotionCLIP``, ``I2FET``, ``lm``, and the last three once more with ``, paraphrased``."""
    variants: dict[str, Entry] = field(default_factory=dict)
    rendered: dict[str, Likeness] = field(default_factory=dict)
    neutral: dict[str, Likeness] = field(default_factory=dict)
    rotation: dict[str, dict[float, tuple[float, float]]] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    dynamics: dict[str, DynamicsScore] = field(default_factory=dict)
    separation: dict[str, float] = field(default_factory=dict)
    """Silhouette of the latents of Fig. 7."""
    times: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """What was left out, and why."""
    sizes: dict[str, int] = field(default_factory=dict)
    """``pictures``, ``picture_size``, ``quality``, ``classifier_test``."""

    @property
    def like(self) -> str:
        """The paper's data set that this one is or stands for."""
        return self.name.removeprefix("standin-")

    def about(self, *more: str) -> str:
        """Which data, which text encoder, and more, for a title."""
        return "; ".join([f"data: {self.title}", *([f"text encoder: {self.encoder}"] if self.encoder else []), *more])


def percent(value: Spread, share: float = 100.0) -> str:
    """``91.4 ± 0.2`` in percent; without deviation for a single evaluation."""
    if not value.count or math.isnan(value.mean):
        return DASH
    text = f"{share * value.mean:.2f}"
    return text if value.count < 2 else f"{text} ± {share * value.std:.2f}"


def _printed(value: paper.Value) -> str:
    """A figure of the paper as it is printed there."""
    mean, deviation = value
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:g}"


def _three(entry: Entry | None, printed: paper.Three | None) -> tuple[str, ...]:
    theirs = [_printed(v) for v in printed] if printed else [DASH] * 3
    ours = [percent(entry.spread(k)) for k in ("acc1", "acc2", "g_mean")] if entry else [DASH] * 3
    return (*theirs, *ours, _count(entry))


def _count(entry: Entry | None) -> str:
    """Instructions x evaluations."""
    return DASH if entry is None else f"{entry.items} x {len(entry.scores)}"


SCORES = ("Acc1, paper", "Acc2, paper", "G-mean, paper", "Acc1, ours", "Acc2, ours", "G-mean, ours", "items x repeats")
_REAL = {"ckplus": "CK+", "celebvhq": "CelebV-HQ"}


def _source(r: Results, number: str) -> str:
    """Where the paper's columns come from."""
    printed = "" if number in ("IV", "IX", "X") else " (percent, with deviations printed as shares: 0.0024 is 0.24 points)"
    text = f'Columns "paper": Table {number} of {paper.URL}{printed}, on the real {_REAL[r.like]}; not comparable in value with'
    return text + " ours" + ("." if r.name == r.like else ", which are on a synthetic stand-in.")


def accuracy_table(r: Results) -> Table:
    """Table II or III, by the data."""
    number = "II" if r.like == "ckplus" else "III"
    printed = paper.ACCURACY[r.like]
    names = {"ground truth": "Ground truth", "MotionCLIP": "MotionCLIP", "I2FET": "I2FET", "lm": r.lm_name}
    rows = [(label, *_three(r.main.get(key), printed.get(key))) for key, label in names.items()]
    rows += [(f"{names[key]}, paraphrased", *_three(r.main.get(f"{key}, paraphrased"), None))
             for key in ("MotionCLIP", "I2FET", "lm")]
    notes = [_source(r, number), f"Judge: {r.classifier} on shape images, every method on the test subject's identity."]
    notes += [f"{e.failed} instructions were refused by {k} and count as wrong." for k, e in r.main.items() if e.failed]
    notes += [f"Left out: {k}: {why}." for k, why in r.missing.items() if k in ("lm", *names)]
    return Table(number, f"Table {number}: accuracy, % ({r.about(_samples(r))})", ("Method", *SCORES), tuple(rows), tuple(notes))


def _samples(r: Results) -> str:
    return f"samples: {r.samples.get('train', 0)} train, {r.samples.get('val', 0)} val, {r.samples.get('test', 0)} test"


def variant_table(r: Results, number: str, what: str, rows: Mapping[str, str], printed: Mapping[str, paper.Three]) -> Table:
    """Tables V to VIII: variants of I2FET."""
    body = tuple((label, *_three(r.variants.get(key), printed.get(key))) for key, label in rows.items())
    trainings = max((e.trainings for e in r.variants.values()), default=0)
    about = r.about(f"trainings: {trainings}", _samples(r))
    return Table(number, f"Table {number}: {what}, % ({about})", ("I2FET", *SCORES), body, (_source(r, number),))


def _like_row(label: str, printed: paper.Four | None, ours: Likeness | None) -> tuple[str, ...]:
    theirs = [f"{v:g}" for v in printed] if printed else [DASH] * 4
    if ours is None:
        return (label, *theirs, *[DASH] * 4)
    return (label, *theirs, f"{ours.l1:.4f}", f"{ours.psnr:.2f}", DASH if ours.lpips is None else f"{ours.lpips:.4f}",
            DASH if ours.ms_ssim is None else f"{ours.ms_ssim:.4f}")


PICTURES = tuple(f"{measure}, {whose}" for whose in ("paper", "ours") for measure in ("L1", "PSNR", "LPIPS", "MS-SSIM"))


def picture_table(r: Results, number: str, what: str, printed: Mapping[str, paper.Four], ours: Mapping[str, Likeness],
                  notes: Sequence[str] = ()) -> Table:
    """Tables IV and IX: likeness of drawn faces to the target's."""
    rows = [_like_row(f"{k} (paper)", v, None) for k, v in printed.items()]
    rows += [_like_row(k, None, v) for k, v in ours.items()]
    reasons = dict.fromkeys(reason for v in ours.values() for reason in v.reasons)
    about = r.about(f"pictures: {r.sizes.get('picture_size', 0)} px", f"samples: {r.sizes.get('pictures', 0)}")
    return Table(number, f"Table {number}: {what} ({about})",
                 ("Method", *PICTURES), tuple(rows),
                 (_source(r, number), "The paper compares photographs with ROME's and CVTHead's pictures; ours compares drawings "
                  "of one renderer, so that only the expression differs.", *notes, *(f"{DASH}: {reason}." for reason in reasons)))


def rotation_table(r: Results) -> Table:
    """Table X: classifiers on pictures turned in their plane."""
    columns = ["Classifier"]
    for angle in paper.ANGLES:
        name = "0" if angle == 0 else f"±{angle:.0f}"
        columns += [f"{name}° Acc1, paper", f"{name}° G-mean, paper", f"{name}° Acc1, ours", f"{name}° G-mean, ours"]
    labels = {"MEK": "MEK", "ce": "ResNet", "rfl": "ResNet with RFL"}
    rows = []
    for key, label in labels.items():
        row = [label]
        for k, angle in enumerate(paper.ANGLES):
            ours = r.rotation.get(key, {}).get(angle)
            row += [f"{v:.2f}" for v in paper.ROTATION[r.like][key][k]]
            row += [DASH, DASH] if ours is None else [f"{100 * v:.2f}" for v in ours]
        rows.append(tuple(row))
    about = r.about(f"test pictures: {r.sizes.get('classifier_test', 0)}")
    return Table("X", f"Table X: expression classifiers on turned pictures, % ({about})", tuple(columns), tuple(rows), (
        _source(r, "X"), f"Paper: ResNet-101; ours: {r.classifier.removesuffix(' with RFL')}, one training each, tested on "
        "records that its training did not see.",
        "MEK is not reproduced: it needs its authors' pretrained network and training code."))


def quality_table(r: Results) -> Table:
    """The movement itself."""
    names = {"facs": "actions found, %", "foreign": "foreign actions", "emotion": "endpoint accuracy, %",
             "monotonic": "monotonic, %", "smoothness": "log dimensionless jerk", "identity": "identity kept, %",
             "drift": "head drift, deg",
             "seconds": "duration error, s", "apex": "apex error, s"}
    share = {"facs", "emotion", "monotonic", "identity"}

    def cell(row: Mapping[str, float], key: str) -> str:
        value = row.get(key, math.nan)
        return DASH if math.isnan(value) else f"{100 * value:.1f}" if key in share else f"{value:.2f}"

    rows = tuple((name, *(cell(row, key) for key in names)) for name, row in r.quality.items())
    about = r.about(f"transitions: {r.sizes.get('quality', 0)}")
    return Table("quality", f"The movement ({about})", ("Method", *names.values()), rows, (
        "Ours alone; the paper has no such table. Actions: EMFACS prototypes, measured from geometry at the key frames.",
        "Identity and head: against the source frame, the subject's neutral face. The log dimensionless jerk of a minimum-jerk "
        "stroke is -5.1; higher is smoother."))


def dynamics_table(r: Results) -> Table:
    """Curves between two expressions against the performer's transitions."""
    rows = tuple((name, *(f"{getattr(d, k):.3f}" for k in ("correlation", "jerk_gap", "peak_gap", "asymmetry_gap", "smoothness")),
                  str(d.count)) for name, d in r.dynamics.items())
    columns = ("Curve", "speed profile correlation", "jerk gap", "peak gap", "asymmetry gap", "log dimensionless jerk", "pairs")
    title = f"Course of the movement between two expressions, against the performer's transitions ({r.about()})"
    return Table("dynamics", title, columns, rows, (
        "The reference is our performer, a synthetic one, whose strokes are minimum-jerk by construction; another performance of "
        "the same pairs shows how far two references agree.",))


def build(r: Results, wanted: Sequence[str]) -> list[Table]:
    """The wanted tables, in order."""
    out = []
    for name in wanted:
        if name in ("II", "III"):
            out.append(accuracy_table(r))
        elif name == "IV":
            out.append(picture_table(r, "IV", "drawn faces against the target expression", paper.RENDERED[r.like], r.rendered,
                                     [f"Left out: {k}: {why}." for k, why in r.missing.items() if k == "lm"]))
        elif name == "V":
            out.append(variant_table(r, "V", "components", {"no_ifed": "w/o IFED", "e_p": "w/ IFED", "full": "w/ IFED + L_v"},
                                     paper.COMPONENTS[r.like]))
        elif name == "VI":
            out.append(variant_table(r, "VI", "losses", {"e": "L_e", "e_p": "L_e + L_p", "full": "L_e + L_p + L_v"},
                                     paper.LOSSES[r.like]))
        elif name == "VII":
            out.append(variant_table(r, "VII", "CAFT layers (N = M = 1)", {"n1m1": "1", "n1m1_caft2": "2"}, paper.LAYERS[r.like]))
        elif name == "VIII":
            modes = {"n1m1": "A: N=1, M=1", "full": "B: N=2, M=1", "n1m2": "C: N=1, M=2", "n2m2": "D: N=2, M=2"}
            out.append(variant_table(r, "VIII", "encoder layers", modes, paper.ENCODERS))
        elif name == "IX":
            out.append(picture_table(r, "IX", "neutral faces", paper.NEUTRAL[r.like], r.neutral,
                                     [f"Left out: {k}: {why}." for k, why in r.missing.items() if k == "NED"]))
        elif name == "X":
            out.append(rotation_table(r))
        else:
            out.append(quality_table(r) if name == "quality" else dynamics_table(r))
    return out
