"""`facelm eval transitions`: trains what is missing, evaluates, and reports (Vo et al., https://arxiv.org/abs/2601.08179)."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ...common.files import write_text
from ...common.progress import Progress, silent
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.render.camera import Camera, portrait
from ...face.render.render import Renderer
from ..baselines.i2fet.loop import fingerprint
from ..baselines.i2fet.text import TextEncoder
from ..datasets.expressions import ExpressionSet
from ..datasets.load import load_dataset
from ..datasets.tuples import make_tuples
from ..table import Table
from .bench import Bench, Entry, Items, frames_of
from .classifier import rotation_study
from .figures import FigureData, draw
from .images import Likeness, likeness
from .metrics import separation
from .movement import TransitionModel, carry_out, endpoints, measure_all
from .options import Loss, TransitionOptions, load_recipe
from .tables import Results, build, paper


@dataclass
class TransitionReport:
    """All that was measured, as tables and as numbers."""

    results: Results
    tables: list[Table]
    figures: FigureData
    options: dict[str, Any]
    seconds: float
    notes: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Every table as plain text."""
        times = [f"{k}: {v:.3f} s" for k, v in self.results.times.items()]
        parts = [t.text() for t in self.tables] + (["One transition: " + "; ".join(times)] if times else [])
        return "\n\n".join([*parts, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN and infinity become None."""
        raw = {"results": asdict(self.results), "tables": [t.to_dict() for t in self.tables], "options": self.options,
               "notes": self.notes, "losses": self.figures.losses, "seconds": round(self.seconds, 1)}
        return _plain(raw)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``report.json``, ``tables.md``, ``tables.txt`` and the pictures; returns the files."""
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        pictures, why = draw(self.figures, out, self.results.about())
        self.notes += [w for w in why if w not in self.notes]
        rows = ", ".join(self.figures.strips)
        shown = [f"![{p.stem}]({p.name})" + (f"\n\nRows: {rows}." if p.stem == "faces" else "") for p in pictures]
        parts = ["# Transitions: " + self.results.title, *(t.markdown() for t in self.tables), *self.notes, *shown]
        texts = {"report.json": json.dumps(self.to_dict(), indent=1), "tables.md": "\n\n".join(parts) + "\n",
                 "tables.txt": self.table() + "\n"}
        for name, text in texts.items():
            write_text(out / name, text)
        return [*(out / name for name in texts), *pictures]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def load_data(options: TransitionOptions, head: HeadModel, progress: Progress = silent) -> ExpressionSet:
    """The expressions that the options name.

    Raises:
        ValueError: another data set than asked for, or one of another head. FileNotFoundError: no such file or folder.
    """
    if options.expressions is not None:
        data = ExpressionSet.load(options.expressions)
        if data.name != options.data:
            raise ValueError(f"{options.expressions} holds {data.name}, not {options.data}")
    else:
        data = load_dataset(options.data, options.root, options.work, params=options.params, head=head, progress=progress)
    if data.head != str(head.ref):
        raise ValueError(f"the expressions are of the head {data.head}, not of {head.ref}; evaluate with that head")
    return data


def run(options: TransitionOptions, lm: TransitionModel | None = None, progress: Progress = silent, *,
        head: HeadModel | None = None, encoder: TextEncoder | None = None) -> TransitionReport:
    """Evaluate; whatever an earlier, perhaps interrupted, call left in the work folder is used.

    Args:
        options: which data and tables.
        lm: has ``transition_many`` (see ``movement.TransitionModel``); None leaves its rows out.
        progress: its stages say what is made.
        head: of the data; None is the default head.
        encoder: a text encoder instead of the recipe's.

    Raises:
        ValueError, FileNotFoundError: see ``load_data``, ``options.load_recipe`` and ``make_tuples``.
    """
    started = time.monotonic()
    head = head or HeadModel.default()
    recipe, base = load_recipe(options.recipe)
    recipe = replace(recipe, items=options.items or recipe.items, repeats=options.repeats or recipe.repeats)
    data = load_data(options, head, progress)
    tuples = make_tuples(data, recipe.tuples or None, recipe.seed, recipe.split)  # type: ignore[arg-type]
    work = options.work / "transitions" / fingerprint(data.name, data.expr, data.pose, data.label, head.sha256)
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(recipe, base, data, tuples, head, work, progress, encoder)
    wanted = options.wanted
    results = Results(data.name, data.title, samples={s: len(tuples.rows(s)) for s in ("train", "val", "test")},
                      classifier=recipe.classifier.title, lm_name=options.lm_name)
    figures = FigureData(labels=data.labels)
    if lm is None:
        results.missing["lm"] = f"no {options.lm_name} was given"
    if set(wanted) - {"IX", "X"}:
        results.encoder = bench.encoder.name
    if set(wanted) & {"II", "III"}:
        _main(bench, lm, results, figures)
    _variants(bench, wanted, results, figures)
    if set(wanted) & {"IV"}:
        _rendered(bench, lm, results, figures)
    if "IX" in wanted:
        _neutral(bench, results)
    if "X" in wanted:
        test = bench.frames.test
        results.sizes["classifier_test"] = len(test)
        if len(test):
            results.rotation = {loss: rotation_study(bench.classifier(loss), bench.pictures(test), data.label[test])
                                for loss in get_args(Loss)}
        else:
            results.missing["X"] = "too few records to hold some out for the classifier's test"
    if set(wanted) & {"quality", "dynamics"}:
        items = bench.items(recipe.quality)
        results.sizes["quality"] = len(items)
        results.quality, results.dynamics = measure_all(bench, items, lm, options.lm_name)
    settings = {**asdict(options), "recipe": asdict(recipe), "baselines": base.to_dict(), "wanted": wanted}
    for name in ("work", "root", "expressions"):
        settings[name] = None if settings[name] is None else Path(settings[name]).name
    notes = [_overlap(bench), *data.notes]
    return TransitionReport(results, build(results, wanted), figures, settings, time.monotonic() - started, notes)


def _overlap(bench: Bench) -> str:
    """How far the test's frames are known to training."""
    test = frames_of(bench.tuples, "test")
    seen = float(np.isin(test, bench.frames.train).mean())
    shared = float(np.isin(test, frames_of(bench.tuples, "train")).mean())
    return (f"Split: {bench.recipe.split}. Of the test samples' frames {100 * shared:.0f} % are also in training samples and "
            f"{100 * seen:.0f} % trained the classifier; Table X is measured on records that it was not trained on.")


def _main(bench: Bench, lm: TransitionModel | None, results: Results, figures: FigureData) -> None:
    """Tables II and III, Figs. 7 to 9, inference times."""
    items = bench.items(bench.recipe.test_items)
    free = bench.paraphrased(items)
    results.main["ground truth"] = bench.truth(items)
    for method, key in (("MotionCLIP", "MotionCLIP"), ("full", "I2FET")):
        results.main[key] = bench.baseline(method, items, bench.recipe.repeats, key)
        results.main[f"{key}, paraphrased"] = bench.baseline(method, free, bench.recipe.repeats, f"{key}, paraphrased")
        results.times[key] = bench.inference_seconds(method, items.instructions[0])
    if lm is not None:
        for key, some in (("lm", items.first(bench.recipe.items)), ("lm, paraphrased", free.first(bench.recipe.items))):
            began = time.perf_counter()
            results.main[key] = language_model(bench, lm, some, results.lm_name + key[2:])
            if key == "lm":
                results.times[f"{results.lm_name}, in batches"] = (time.perf_counter() - began) / (
                    len(some) * len(results.main[key].scores))
    named = {"ground truth": "ground truth", "MotionCLIP": "MotionCLIP", "I2FET": "I2FET", "lm": results.lm_name}
    figures.confusion = {named[k]: e.confusion for k, e in results.main.items() if k in named}
    _latents(bench, items, results, figures)


def language_model(bench: Bench, lm: TransitionModel, items: Items, name: str) -> Entry:
    """Its endpoints on the test subjects' identities, classified as the others'; one evaluation where it repeats itself."""
    found, failed, first = [], 0, np.zeros(0)
    for repeat in range(bench.recipe.repeats):
        if repeat:  # does it sample at all? A batch tells; further repeats would else be the same
            probe = carry_out(bench, lm, items.first(8).instructions, name, seed=1000 * repeat)
            if np.array_equal(endpoints(probe, bench.head.n_expr)[0], first[:len(probe)]):
                break
        made = carry_out(bench, lm, items.instructions, name, seed=1000 * repeat)
        expr, pose, refused = endpoints(made, bench.head.n_expr)
        first = first if repeat else expr
        labels = bench.classify(expr, pose, items.rows, name)
        labels[refused] = -1
        found.append(labels)
        failed += int(refused.sum())
    return bench.entry(found, items, 0, failed)


def _latents(bench: Bench, items: Items, results: Results, figures: FigureData) -> None:
    """Fig. 7: latents of the test samples, without and with IFED, and MotionCLIP's."""
    d = bench.data
    expr, pose = d.expr[items.rows], d.pose[items.rows]
    clip = bench.trained("MotionCLIP").latents(items.instructions, expr, pose)
    figures.latents["MotionCLIP (by second expression)"] = (clip, items.labels[:, 1])
    for method, kind, name in (("no_ifed", "posterior", "I2FET w/o IFED, z"), ("full", "posterior", "I2FET w/ IFED, z"),
                               ("full", "condition", "I2FET w/ IFED, x_emb")):
        both = bench.trained(method).latents(items.instructions, expr, pose, kind)
        figures.latents[name] = (both.reshape(-1, both.shape[-1]), items.labels.ravel())
    results.separation = {name: separation(points, label) for name, (points, label) in figures.latents.items()}


def _variants(bench: Bench, wanted: tuple[str, ...], results: Results, figures: FigureData) -> None:
    """Tables V to VIII and Fig. 15."""
    needed = list(dict.fromkeys(row for name in wanted if name in paper().variants for row in paper().variants[name].rows))
    items = bench.items(bench.recipe.test_items)
    for key in needed:
        results.variants[key] = bench.baseline(key, items, bench.recipe.repeats, f"I2FET ({key})")
    for key, name in (("no_ifed", "I2FET w/o IFED"), ("e_p", "I2FET w/ IFED")):
        if key in needed:
            figures.losses[name] = list(bench.trained(key).history.val)


# -- drawn faces --------------------------------------------------------------------------
def _draw(bench: Bench, expr: np.ndarray, pose: np.ndarray, shape: np.ndarray, what: str) -> np.ndarray:
    """(N,H,W,3) uint8 drawings in colour of N faces, each in its identity's own frame."""
    size, head = bench.recipe.picture_size, bench.head
    out = np.empty((len(expr), size, size, 3), np.uint8)
    look: Any = None
    cameras: dict[bytes, Camera] = {}
    for i, (e, p, s) in enumerate(zip(expr, pose, shape, strict=True)):
        if s.tobytes() not in cameras:
            rest = FaceSequence.rest(1, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
            cameras[s.tobytes()] = portrait(rest.replace(shape=s), head, size)
        renderer = Renderer(head, cameras[s.tobytes()], size, look=look)
        look = renderer.look
        out[i] = renderer.draw(head.vertices(e[None], rotation=p[None, :3], jaw_pose=p[None, 3:], shape=s)[0])
        bench.progress(i + 1, len(expr), f"{what}: drawings")
    return out


def _rendered(bench: Bench, lm: TransitionModel | None, results: Results, figures: FigureData) -> None:
    """Table IV: drawn faces of the generated expressions against the target's; and the strip of faces."""
    items = bench.items(bench.recipe.pictures)
    d, rows = bench.data, items.rows.ravel()
    results.sizes |= {"pictures": len(items), "picture_size": bench.recipe.picture_size}
    shape, target_pose = d.shape[rows], d.pose[rows]
    made: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for method, name in (("full", "I2FET"), ("MotionCLIP", "MotionCLIP")):
        made[name] = bench.trained(method).generate(items.instructions, seed=0)
    if lm is not None:
        clips = carry_out(bench, lm, items.instructions, f"{results.lm_name}: faces")
        expr, pose, refused = endpoints(clips, bench.head.n_expr)
        if refused.any():
            results.missing["pictures"] = f"{int(refused.sum())} refused instructions are drawn at rest"
        made[results.lm_name] = expr, pose
    target = _draw(bench, d.expr[rows], target_pose, shape, "target")
    figures.strips["target"] = target[:8]
    for name, (expr, pose) in made.items():
        # where the head points is the source's (FET keeps its camera), so only expression and jaw are compared
        turned = np.concatenate([target_pose[:, :3], pose.reshape(-1, 6)[:, 3:]], 1)
        drawn = _draw(bench, expr.reshape(len(rows), -1), turned, shape, name)
        results.rendered[name] = likeness(drawn, target)
        figures.strips[name] = drawn[:8]


def _neutral(bench: Bench, results: Results) -> None:
    """Table IX: NED's neutral faces, and a face with all coefficients 0, against the subject's own neutral face."""
    d = bench.data
    rows = np.array([r for r in bench.frames.test if d.neutral[r] >= 0], np.int64)[:bench.recipe.pictures]
    ned = bench.ned() if len(rows) else None
    if ned is None:
        results.missing["NED"] = "the data has too few rows with a neutral face of their own"
        return
    results.sizes.setdefault("pictures", len(rows))
    results.sizes["picture_size"] = bench.recipe.picture_size
    true_expr, true_pose = d.neutral_expr[d.neutral[rows]], d.neutral_pose[d.neutral[rows]]
    target = _draw(bench, true_expr, true_pose, d.shape[rows], "neutral target")
    expr, pose = ned.neutral(d.expr[rows], d.pose[rows])
    zero = np.concatenate([true_pose[:, :3], np.zeros_like(true_pose[:, 3:])], 1)
    found: dict[str, Likeness] = {}
    faces = {"NED": (expr, np.concatenate([true_pose[:, :3], pose[:, 3:]], 1)),
             "coefficients at 0": (np.zeros_like(true_expr), zero),
             "the expression itself": (d.expr[rows], np.concatenate([true_pose[:, :3], d.pose[rows, 3:]], 1))}
    for name, (e, p) in faces.items():
        found[name] = likeness(_draw(bench, e, p, d.shape[rows], name), target)
    results.neutral = found
