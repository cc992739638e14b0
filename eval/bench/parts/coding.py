"""The tokenizer: what is lost in tokens, and how many they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ....common.progress import Progress, silent
from ....face.clip.sequence import FaceSequence
from ....tokenizer.codec import FaceTokenizer
from ...features.model import Matcher
from ...features.scores import frechet
from ...metrics import Counts
from ...reconstruction import REGIONS, Rebuilt, rebuild, symbol_bits
from ..report.figures import Column, Figure, Row, Sheet, figure_of, mean_of, ratio_of, rows_of
from .words import FID_ROUNDS, LEAST

COLUMNS = (
    *(Column(f"{r}, mm", "less") for r in REGIONS), Column("head, degrees", "less"), Column("gaze, degrees", "less"),
    Column("lip velocity error, mm/s", "less", 2), Column("lip jerk, ratio", "", 3), Column("actions found again"),
    Column("precision"), Column("tokens a second", "less", 2), Column("bits a second", "less", 1), Column("codes used", "", 3),
    Column("FID", "less", 4))


def sheet(tokenizers: Mapping[str, FaceTokenizer], clips: Sequence[FaceSequence], matcher: Matcher,
          command: Callable[[str], str], progress: Progress = silent) -> Sheet:
    """One row a tokenizer, on the same clips.

    Args:
        tokenizers: by name.
        clips: test clips without idle motion.
        matcher: for the reconstruction's FID.
        command: prints a row again.
        progress: called with (done, of, what).
    """
    rows = []
    for name, tokenizer in tokenizers.items():
        def tell(done: int, of: int, _: str = "", /, name: str = name) -> None:
            progress(done, of, f"tokenizer: {name}")

        found = list(rebuild(tokenizer, clips, tell))
        rows.append(Row(name, figures(tokenizer, found, clips, matcher), command(name)))
    return Sheet("tokenizer", "Motion tokenizers", COLUMNS, tuple(rows),
                 f"{len(clips)} test clips; vertex errors with the head upright. Bits are the entropy of the clips' "
                 "own symbols. Codes used: share of the symbols that occur.")


def figures(tokenizer: FaceTokenizer, found: Sequence[Rebuilt], clips: Sequence[FaceSequence],
            matcher: Matcher) -> dict[str, Figure]:
    """A tokenizer's figures."""
    frames = [r.frames for r in found]
    bits = symbol_bits(tokenizer, [r.ids for r in found])

    def by_frame(values: Sequence[float]) -> Figure | None:
        return ratio_of(list(zip(values, frames, strict=True)))

    counts = np.array([(r.hits, r.missed, r.extra) for r in found])
    used = len(np.unique(np.concatenate([r.ids for r in found]))) / tokenizer.n_symbols
    out: dict[str, Figure | None] = {
        **{f"{r}, mm": by_frame([x.mm[r] for x in found]) for r in found[0].mm},
        "head, degrees": by_frame([r.head_deg for r in found]), "gaze, degrees": by_frame([r.gaze_deg for r in found]),
        "lip velocity error, mm/s": by_frame([r.velocity for r in found]),
        "lip jerk, ratio": ratio_of([(r.jerk[1], r.jerk[0]) for r in found]),
        "actions found again": figure_of(counts, lambda t: Counts(*map(int, t.sum(0))).recall),
        "precision": figure_of(counts, lambda t: Counts(*map(int, t.sum(0))).precision),
        "tokens a second": ratio_of([(len(r.ids), r.seconds) for r in found]),
        "bits a second": ratio_of([(bits * len(r.ids), r.seconds) for r in found]), "codes used": mean_of([used])}
    if len(found) >= LEAST:
        truth = matcher.of_clips(clips)
        again = matcher.of_clips([r.again for r in found])
        out["FID"] = figure_of(again, lambda f: frechet(f, truth), rounds=FID_ROUNDS, biased=True)
    return rows_of(out)
