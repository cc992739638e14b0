"""An agent whose readings come from a queue and whose performances are those of the procedural animator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facelm.agent.motion.checked import Performance
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.facs.check import check
from facelm.face.facs.measure import measure
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel


class AnimatedAgent:
    """Reads each prompt as the line that stands for it; an exception in its place is raised.

    Args:
        lines: text -> line, or an exception.
        instead: line performed by the model alone in place of another.
    """

    def __init__(self, lines: dict[str, str | Exception], instead: dict[str, str] | None = None) -> None:
        self.lines, self.instead = lines, instead or {}
        self.head = HeadModel.default()
        self.calls: list[tuple[str, Any]] = []

    def read_many(self, prompts: Sequence[str]) -> list[Script]:
        self.calls.append(("read", list(prompts)))
        for p in prompts:
            if isinstance(error := self.lines[p], Exception):
                raise error
        return [read_script(str(self.lines[p])) for p in prompts]

    def perform_many(self, scripts: Sequence[Script], seed: int = 0, **options: Any) -> list[Performance]:
        self.calls.append(("perform", {"seed": seed, "count": len(scripts), **options}))
        return [self._one(s, seed + i, options.get("candidates") == 1) for i, s in enumerate(scripts)]

    def _one(self, script: Script, seed: int, alone: bool) -> Performance:
        done = next((read_script(other) for line, other in self.instead.items() if alone and read_script(line) == script), script)
        schedule = lay_out(done, seed)
        clip = perform(schedule, self.head)
        checks = check(script, measure(clip, self.head))
        by = tuple("model" if i == 0 else "animator" for i in range(len(script.cues)))
        return Performance(clip, script, lay_out(script, seed), checks, by)  # type: ignore[arg-type]
