"""What systems are asked: texts with what is right, from prompts with scripts or from the captions of test clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from ...common.files import digest
from ...data_gen.performer.layout import lay_out
from ...face.facs.schedule import Schedule
from ...face.facs.script import Script
from ...face.facs.script_text import write_script
from ..items import Item
from ..prompts.suite import Prompt, load_prompts, template_prompts
from .suite import WordsPart


@dataclass(frozen=True)
class Case:
    """A text and what is right for it."""

    kind: str
    text: str
    schedule: Schedule
    """What the animator performs for it."""
    scripts: tuple[Script, ...] = ()
    """Any of them is right; none where only the schedule is known."""
    seconds: float | None = None
    """The length that systems are given; None: they choose."""
    secret: bool = False
    """Held out: the text is never shown, so that nothing is tuned to it."""

    @property
    def meaning(self) -> str:
        """The same for texts that mean the same."""
        return write_script(self.scripts[0]) if self.scripts else self.schedule.to_json()

    @property
    def key(self) -> str:
        """A digest of everything that decides its scores."""
        return digest([self.text, *map(write_script, self.scripts), self.schedule.to_json(), self.seconds])


def cases_of(part: WordsPart, test: list[Item], seed: int) -> list[Case]:
    """The cases of a part.

    Args:
        part: what is asked.
        test: test clips, for captions.
        seed: of templates.

    Raises:
        FileNotFoundError, ValueError: a file that is missing or damaged.
    """
    if part.prompts == "captions":
        return [Case("caption", i.prompt, i.script, seconds=i.script.seconds) for i in test[:part.count]]
    if part.prompts == "templates":
        prompts = template_prompts(part.count, seed)
    else:
        prompts = load_prompts(None if part.prompts == "heldout" else part.prompts)
        prompts = some_of_each(prompts, part.each, seed)
    return [case for p in prompts if (case := _of_prompt(p, part.prompts == "heldout")) is not None]


class Kinded(Protocol):
    """What is of a kind."""

    @property
    def kind(self) -> str: ...


K = TypeVar("K", bound=Kinded)


def some_of_each(items: Sequence[K], each: int | None, seed: int) -> list[K]:
    """At most ``each`` items of every kind, drawn by a seed, kind by kind in their order; None: all."""
    out = []
    for number, kind in enumerate(dict.fromkeys(i.kind for i in items)):
        own = [i for i in items if i.kind == kind]
        count = len(own) if each is None else min(each, len(own))
        drawn = np.random.default_rng([seed, number]).choice(len(own), count, replace=False)
        out += [own[k] for k in sorted(drawn)]
    return out


def _of_prompt(prompt: Prompt, secret: bool) -> Case | None:
    """None where the right script is not to be performed at all."""
    try:
        return Case(prompt.kind, prompt.text, lay_out(prompt.scripts[0]), prompt.scripts, secret=secret)
    except ValueError:
        return None
