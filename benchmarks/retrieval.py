"""The retrieval model of the benchmark's learned scores, trained anew."""

from __future__ import annotations

from pathlib import Path

from ..eval.features.train import train_matcher
from .report import Tables


def retrieval(folder: Path = Path("runs/retrieval"), pairs: int = 10000, steps: int = 900, minutes: float = 0.0, seed: int = 0,
              workers: int = 2) -> Tables:
    """Train the text-motion retrieval model and measure it on held-out pairs.

    Parameters
    ----------
    folder
        Where it goes; a run that was stopped goes on.
    pairs
        Texts with motions to train on.
    steps, minutes
        Budget of training; 0 is none.
    seed
        Of data and weights.
    workers
        Processes that make the data.
    """
    about = train_matcher(folder, pairs, minutes, steps, seed, workers).about
    return {"retrieval": [{**about["held_out"], "held-out pairs": about["held_out_pairs"], "steps": about["steps"],
                           "minutes": about["minutes"]}]}
