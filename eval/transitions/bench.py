"""Data, trained models and scores of an evaluation, each made once and found again in the work folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, silent
from ...common.store import Store
from ...face.head.model import HeadModel
from ..baselines.i2fet.arrays import Samples
from ..baselines.i2fet.config import Recipe
from ..baselines.i2fet.kept_text import KeptText
from ..baselines.i2fet.loop import fingerprint
from ..baselines.i2fet.text import TextEncoder, text_encoder
from ..datasets.expressions import ExpressionSet
from ..datasets.tuples import Tuples
from .classifier import Classifier, Labelled, train_classifier
from .metrics import Score, Spread, confusion, score
from .options import Loss, TransitionRecipe
from .shapes import Faces, Pictures, ShapeRenderer, cached

Ints = NDArray[np.int64]

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    # the rows of Tables V to VIII as changes of the recipe; the paper's best is N = 2, M = 1 and one CAFT layer
    "full": {"ifed": {"on": True, "N": 2, "M": 1, "caft_layers": 1}, "loss": {"terms": ["e", "p", "v"]}},
    "no_ifed": {"ifed": {"on": False}, "loss": {"terms": ["e", "p"]}},
    "e_p": {"ifed": {"on": True, "N": 2, "M": 1, "caft_layers": 1}, "loss": {"terms": ["e", "p"]}},
    "e": {"ifed": {"on": True, "N": 2, "M": 1, "caft_layers": 1}, "loss": {"terms": ["e"]}},
    "n1m1": {"ifed": {"on": True, "N": 1, "M": 1, "caft_layers": 1}, "loss": {"terms": ["e", "p", "v"]}},
    "n1m1_caft2": {"ifed": {"on": True, "N": 1, "M": 1, "caft_layers": 2}, "loss": {"terms": ["e", "p", "v"]}},
    "n1m2": {"ifed": {"on": True, "N": 1, "M": 2, "caft_layers": 1}, "loss": {"terms": ["e", "p", "v"]}},
    "n2m2": {"ifed": {"on": True, "N": 2, "M": 2, "caft_layers": 1}, "loss": {"terms": ["e", "p", "v"]}},
}


@dataclass
class Entry:
    """A row of Tables II, III and V to VIII: all evaluations of one method."""

    scores: list[Score]
    items: int
    """Instructions of each evaluation."""
    trainings: int
    """How many times it was trained; 0 for what is not trained here."""
    confusion: list[list[int]] = field(default_factory=list)
    """(C, C) counts over all evaluations."""
    failed: int = 0
    """Instructions that were refused and count as wrong."""

    def spread(self, name: str) -> Spread:
        """Mean and deviation of ``acc1``, ``acc2`` or ``g_mean`` over the evaluations."""
        return Spread.of([getattr(s, name) for s in self.scores])


@dataclass(frozen=True)
class Items:
    """Instructions to carry out: T sentences, the labels of both expressions ``(T, 2)``, the rows of the set ``(T, 2)``."""

    instructions: list[str]
    labels: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.instructions)

    def first(self, count: int) -> Items:
        """The first ``count`` of them."""
        return Items(self.instructions[:count], self.labels[:count], self.rows[:count])


@dataclass(frozen=True)
class Frames:
    """Rows of the set for the classifier; no record is in two of them."""

    train: Ints
    val: Ints
    test: Ints


def frames_of(tuples: Tuples, split: str) -> Ints:
    """The rows of the set that a split's samples use, each once."""
    at = tuples.rows(split)
    return np.unique(np.concatenate([tuples.first[at], tuples.second[at]]))


def classifier_frames(data: ExpressionSet, tuples: Tuples, seed: int) -> Frames:
    """Which frames train the classifier, choose its epoch, and test it.

    Of the frames of training samples, whole records (a record's frames are nearly equal) are held out: a tenth of each
    emotion's records for validation and a tenth for the test. With a split by subject the samples' own split decides.
    """
    used, val_rows, test_rows = (frames_of(tuples, split) for split in ("train", "val", "test"))
    if not set(data.subject[used]) & set(data.subject[test_rows]):
        return Frames(used, val_rows, test_rows)
    rng = np.random.default_rng([seed, 0xC1A5])
    held: dict[str, list[str]] = {"val": [], "test": []}
    for label in range(len(data.labels)):
        records = np.unique(data.record[data.label == label])
        rng.shuffle(records)
        count = max(1, round(0.1 * len(records))) if len(records) >= 4 else 0
        held["test"] += records[:count].tolist()
        held["val"] += records[count:2 * count].tolist()
    # a record may show two emotions (CelebV-HQ): it is then wholly in the test
    test = np.isin(data.record, held["test"])
    val = np.isin(data.record, held["val"]) & ~test
    free = ~test & ~val
    return Frames(used[free[used]], np.flatnonzero(val), np.flatnonzero(test))


class Bench:
    """Makes and keeps what the tables need.

    Args:
        recipe: sizes. base: the baselines' recipe.
        data, tuples: what is learned and tested. head: of the data.
        work: folder for everything that is kept.
        progress: its stages say what is trained or drawn.
        encoder: a text encoder instead of the recipe's (tests).
    """

    def __init__(self, recipe: TransitionRecipe, base: Recipe, data: ExpressionSet, tuples: Tuples, head: HeadModel, work: Path,
                 progress: Progress = silent, encoder: TextEncoder | None = None) -> None:
        self.recipe, self.base, self.data, self.tuples, self.head = recipe, base, data, tuples, head
        self.work, self.store, self.progress = work, Store(work), progress
        self.renderer = ShapeRenderer(head, recipe.classifier.size)
        self.frames = classifier_frames(data, tuples, recipe.seed)
        self._encoder = encoder
        self.key = fingerprint(data.name, data.title, data.expr, data.pose, data.shape, data.label, tuples.first, tuples.second,
                                tuples.split.tolist(), tuples.instructions)
        self._trained: dict[str, Any] = {}

    # -- data ---------------------------------------------------------------------------
    @cached_property
    def encoder(self) -> TextEncoder:
        """The text encoder, with its features kept."""
        if self._encoder is not None:
            return self._encoder
        return KeptText(lambda: text_encoder(self.base.text), self.store, asdict(self.base.text))

    def items(self, count: int = 0) -> Items:
        """Test samples; 0 is all."""
        t, d = self.tuples, self.data
        at = t.rows("test")[:count or None]
        rows = np.stack([t.first[at], t.second[at]], 1)
        return Items([t.instructions[i] for i in at], d.label[rows], rows)

    def paraphrased(self, items: Items) -> Items:
        """The same pairs in free wordings that no training uses."""
        from ...data_gen.text.transition_text import paraphrase

        rng = np.random.default_rng([self.recipe.seed, 0x9A7A])
        names = self.data.labels
        return Items([paraphrase(names[a], names[b], rng, "test") for a, b in items.labels], items.labels, items.rows)

    def pictures(self, rows: Ints) -> Pictures:
        """Shape images of rows of the set; all of them are drawn once."""
        return self._all_pictures[rows]

    @cached_property
    def _all_pictures(self) -> Pictures:
        return cached(self.renderer, Faces(self.data.expr, self.data.pose, self.data.shape), self.store, self.progress)

    # -- models -------------------------------------------------------------------------
    def classifier(self, loss: Loss = "rfl") -> Classifier:
        """The trained classifier with this loss."""
        f, key = self.frames, f"classifier_{loss}"
        config = replace(self.recipe.classifier, loss=loss).for_pictures(len(f.train))
        if key not in self._trained:
            folder = self.work / "models" / f"{key}_{fingerprint(self.key, asdict(config), self.renderer.about, f.train, f.val)}"
            self._trained[key] = train_classifier(
                config, Labelled(self.pictures(f.train), self.data.label[f.train]),
                Labelled(self.pictures(f.val), self.data.label[f.val]), self.data.labels, folder,
                lambda done, of, stage="": self.progress(done, of, f"{config.title}: epochs"))
        return self._trained[key]

    def trained(self, method: str, training: int = 0) -> Any:
        """``MotionCLIP`` or a variant of I2FET, trained with the recipe's seed + ``training``."""
        changes: dict[str, dict[str, Any]] = {k: dict(v) for k, v in VARIANTS.get(method, {}).items()}
        if method == "MotionCLIP":
            from ..baselines.motionclip.train import train_motionclip as train

            changes["motionclip"] = {"fit": {"seed": self.base.motionclip.fit.seed + training}}
        else:
            from ..baselines.i2fet.train import train_i2fet as train  # type: ignore[assignment]

            changes["fit"] = {"seed": self.base.fit.seed + training}
        config = self.base.change(**changes)
        key = self.model_key(method, config)
        if key not in self._trained:
            t, d = self.tuples, self.data
            pairs = np.stack([t.first, t.second], 1)
            samples = Samples.of(d.expr[pairs], d.pose[pairs], d.shape[t.first], t.instructions, t.split, self.encoder)
            title = f"training {method if method == 'MotionCLIP' else f'I2FET ({method})'}: epochs"
            self._trained[key] = train(config, samples, self.head, self.work / "models" / key,
                                       lambda done, of, stage="": self.progress(done, of, title), self.encoder)
        return self._trained[key]

    def model_key(self, method: str, config: Recipe) -> str:
        """The model's folder: changes with everything that it depends on."""
        raw = config.to_dict()
        parts = ("text", "motionclip", "loss") if method == "MotionCLIP" else ("text", "ifed", "vae", "loss", "fit")
        return f"{method}_{fingerprint(self.key, self.head.sha256, self.encoder.name, [raw[p] for p in parts])}"

    def ned(self) -> Any:
        """The neutral encoder-decoder, trained on the rows of which a neutral face is known; None where there are too few."""
        from ..baselines.i2fet.ned import train_ned

        d = self.data
        rows = np.flatnonzero(d.neutral >= 0)
        split = np.full(len(d), "train", "<U5")
        split[self.frames.val], split[self.frames.test] = "val", "test"
        if (split[rows] == "train").sum() < 4 or not (split[rows] == "test").any():
            return None
        key = f"NED_{fingerprint(self.key, self.head.sha256, asdict(self.base.ned), d.neutral, d.neutral_expr)}"
        return train_ned(self.base, d.expr[rows], d.pose[rows], d.neutral_expr[d.neutral[rows]], d.neutral_pose[d.neutral[rows]],
                         self.head, split[rows], out=self.work / "models" / key,
                         progress=lambda done, of, stage="": self.progress(done, of, "training NED: epochs"))

    # -- scores -------------------------------------------------------------------------
    def classify(self, expr: NDArray[np.floating[Any]], pose: NDArray[np.floating[Any]], rows: Ints, what: str) -> Ints:
        """``(T, 2)`` labels that the classifier sees on the test subjects' identities.

        Args:
            expr: ``(T, 2, E)``; pose: ``(T, 2, 6)``; rows: ``(T, 2)``, whose identity is drawn.
            what: for the progress.
        """
        count = len(rows)
        faces = Faces(np.reshape(expr, (2 * count, -1)), np.reshape(pose, (2 * count, 6)), self.data.shape[rows.ravel()])
        return self.classifier().predict(self.renderer.draw(faces, self.progress, f"{what}: shape images")).reshape(count, 2)

    def entry(self, found: Sequence[Ints], items: Items, trainings: int, failed: int = 0) -> Entry:
        """Scores of several evaluations ``(T, 2)`` of the same items."""
        c = len(self.data.labels)
        matrix = sum((confusion(items.labels, f, c) for f in found), np.zeros((c, c), np.int64))
        return Entry([score(items.labels, f, c) for f in found], len(items), trainings, matrix.tolist(), failed)

    def truth(self, items: Items) -> Entry:
        """The classifier on the true expressions."""
        return self.entry([self.classifier().predict(self.pictures(items.rows.ravel())).reshape(-1, 2)], items, 0)

    def baseline(self, method: str, items: Items, repeats: int, what: str) -> Entry:
        """``MotionCLIP`` or a variant of I2FET: every training, every sampling seed; labels are kept on disk."""
        found = []
        for training in range(self.recipe.retrainings):
            model = self.trained(method, training)
            # MotionCLIP's decoder draws nothing: its repeats would be equal
            for repeat in range(1 if method == "MotionCLIP" else repeats):
                key = fingerprint(self.key, model.key, self._classifier_digest, items.instructions, items.rows, repeat)
                kept = self.store.read("labels", f"{method}_{key}")
                if kept is None:
                    expr, pose = model.generate(items.instructions, seed=repeat)
                    labels = self.classify(expr, pose, items.rows, what)
                    kept = self.store.commit("labels", f"{method}_{key}", key, {"labels": labels.tolist()}, None)
                found.append(np.array(kept.data["labels"], np.int64))
        return self.entry(found, items, self.recipe.retrainings)

    @cached_property
    def _classifier_digest(self) -> str:
        """Of what the classifier's labels depend on."""
        weights = self.classifier().model.state_dict()
        return fingerprint(self.renderer.about, *(v.detach().cpu().float().numpy() for v in weights.values()))

    def inference_seconds(self, method: str, instruction: str) -> float:
        """Median seconds for one instruction whose sentence is already encoded, without drawing."""
        model = self.trained(method)
        model.generate([instruction], seed=0)
        taken = []
        for k in range(5):
            started = time.perf_counter()
            model.generate([instruction], seed=k)
            taken.append(time.perf_counter() - started)
        return float(np.median(taken))
