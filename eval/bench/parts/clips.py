"""One clip against what was asked: everything that its row of the benchmark holds, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....face.clip.sequence import FaceSequence
from ....face.facs.check import CheckList, check
from ....face.facs.measure import measure
from ....face.facs.measured import Measurement
from ....face.head.model import HeadModel
from ...features.model import Matcher
from ...metrics import Counts, Detection, count_actions, order_score
from ..cases import Case
from .depth import contact

FACTS = ("present", "counts", "sides", "order", "timing", "strength", "strength order", "negation", "nothing foreign")
"""What is checked, as the tables call it."""
KINDS = {"present": "present", "count": "counts", "side": "sides", "order": "order", "together": "order", "start": "timing",
         "end": "timing", "duration": "timing", "length": "timing", "strength": "strength", "strength_order": "strength order",
         "absent": "negation", "still": "negation", "foreign": "nothing foreign"}


@dataclass(frozen=True)
class Judge:
    """What clips are scored with."""

    head: HeadModel
    matcher: Matcher

    def refusal(self, case: Case, why: str) -> dict[str, Any]:
        """The row of a text that a system refuses: nothing of it is right, nothing is foreign."""
        asked = case.schedule.expected_actions()
        return {"kind": case.kind, "ok": False, "refused": why[:200], "facts": {"present": [0, max(len(asked), 1)]},
                "counts": [0, len(asked), 0], "asked": list(asked), "found": []}

    def score(self, case: Case, clip: FaceSequence, spent: float) -> dict[str, Any]:
        """Scores of a clip that took ``spent`` seconds."""
        clip.require_head(self.head.ref)
        shown = measure(clip, self.head)
        found = [Detection(a.name, a.onset) for a in shown.actions]
        counts = count_actions(case.schedule, {d.name for d in found})
        facts, ok = self._checked(case, shown) if case.scripts else _counted(case, found, counts, clip.seconds)
        lips, lids = contact(self.head).of(clip)
        return {"kind": case.kind, "ok": ok, "refused": None, "facts": facts,
                "counts": [counts.hits, counts.missed, counts.invented],
                "asked": list(case.schedule.expected_actions()), "found": sorted({d.name for d in found}),
                "allowed": sorted(case.schedule.allowed_actions()), "lips": lips, "lids": lids, "seconds": clip.seconds,
                "spent": spent, "feature": np.round(self.matcher.of_clips([clip])[0], 6).tolist()}

    def _checked(self, case: Case, shown: Measurement) -> tuple[dict[str, list[int]], bool]:
        """Facts that are right and facts, and whether all are, for the right script that fits best.

        The animator's times are no demand, but may help to find a cue.
        """
        tried: list[CheckList] = [check(s, shown) for s in case.scripts] + [check(case.scripts[0], shown, case.schedule)]
        best = max(tried, key=lambda c: (c.ok, c.score()))
        out: dict[str, list[int]] = {}
        for item in best.items:
            fact = out.setdefault(KINDS[item.kind], [0, 0])
            fact[0] += item.ok
            fact[1] += 1
        if "nothing foreign" in out:
            out["nothing foreign"] = [int(out["nothing foreign"][0] == out["nothing foreign"][1]), 1]
        return out, best.ok


def _counted(case: Case, found: list[Detection], counts: Counts, seconds: float) -> tuple[dict[str, list[int]], bool]:
    """The same where only a schedule is known: its actions, their order, and nothing else."""
    due = [e.start * seconds / case.schedule.seconds for e in case.schedule.events]
    order = order_score(case.schedule, found, due)
    facts = {"present": [counts.hits, counts.hits + counts.missed], "nothing foreign": [int(counts.invented == 0), 1]}
    if order is not None and order.scored:
        facts["order"] = [int(order.right), 1]
    return facts, not counts.missed and not counts.invented and (order is None or order.right)
