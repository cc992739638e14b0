"""The door to the data sets: labelled expressions by the name of their data set."""

from __future__ import annotations

import os
from pathlib import Path

from ...common.progress import Progress, silent
from ...face.head.model import HeadModel
from . import celebvhq, ckplus, sources
from .expressions import ExpressionSet, dataset_name
from .surrogate.build import build
from .surrogate.sizes import CelebVSize, CKPlusSize


def load_dataset(name: str, root: str | os.PathLike[str] | None, work: str | os.PathLike[str], *,
                 params: str | os.PathLike[str] = "fit", head: HeadModel | None = None, frames: int = 3,
                 subjects: int | None = None, size: CKPlusSize | CelebVSize | None = None, seed: int = 0,
                 progress: Progress = silent) -> ExpressionSet:
    """Labelled expressions of a data set, or of the surrogate that takes its place.

    Args:
        name: one of ``expressions.DATASETS``.
        root: the data as distributed; of a surrogate None builds it under ``work`` (or goes on building it).
        work: folder for fits and surrogates; made when missing. A second call finds there what the first one did.
        params: ``fit`` (the project's fitter on the pictures), ``true`` (a surrogate's own parameters; pictures are not
            even drawn), or a folder with one parameter file for each sequence or clip (anything that ``facelm convert`` reads).
        head: the head that is fitted or that given parameters drive; None is the default one.
        frames: rows taken from each sequence (its last frames) or labelled stretch (its strongest frames).
        subjects: at most so many, the same ones each time; None takes all. CelebV-HQ as a whole is days of fitting.
        size: how large a surrogate is; None is the default size.
        seed: of a surrogate.
        progress: its stages say what is read or made.

    Raises:
        ValueError: an unknown name, a root that is not this data, parameters of two heads; one sentence each.
        FileNotFoundError: a folder that does not exist, or real data without ``root``.
    """
    name = dataset_name(name)
    for what, value in (("frames", frames), ("subjects", subjects)):
        if value is not None and value < 1:
            raise ValueError(f"{what} is {value}; allowed: 1 or more")
    surrogate = name.startswith("surrogate-")
    if params == "true" and not surrogate:
        raise ValueError(f"params is 'true', which only surrogates have; for {name} use 'fit' or a folder of parameter files")
    if root is None and not surrogate:
        raise FileNotFoundError(f"{name} needs the folder of the data as distributed (its form must be signed); without it "
                                f"use surrogate-{name}")
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    where = Path(root) if root is not None else build(name, folder, size, seed, pictures=params != "true", progress=progress)
    if not where.is_dir():
        raise FileNotFoundError(f"{name}: the folder {where} does not exist")
    source = sources.source_of(params, where, folder, head or HeadModel.default())
    load = ckplus.load if name.endswith("ckplus") else celebvhq.load
    return load(where, source, frames=frames, name=name, subjects=subjects, progress=progress)
