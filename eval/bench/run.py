"""One run of a suite: parts in order, each kept when it is done, so that a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...common.files import digest
from ...common.progress import Progress, silent
from ...common.store import Journal
from ...data_gen.performer.animator import perform
from ...face.clip.sequence import FaceSequence
from ...face.facs.measured import Measurement
from ...face.head.model import HeadModel
from ...tokenizer.codec import FaceTokenizer
from ..dialogue.score import Agent
from ..features.model import Matcher
from ..items import Item, corpus_items, fresh_items
from ..retrieval import nearest
from .cases import Case, cases_of
from .parts import coding, descriptions, faces, kinematics, speed, talks, words
from .parts.clips import Judge
from .report.figures import Sheet
from .suite import AGENT, PARTS, SYSTEMS, UNTUNED, Suite, WordsPart
from .systems import RANDOM, REBUILT, RETRIEVAL, TRUTH, Chance, Retrieval, System, Truth

SHOWN = 4
"""Cases of a part whose clips the page shows."""
ROWS = "rows.jsonl"


@dataclass(frozen=True)
class Models:
    """What is measured, handed in: this package knows no agent.

    Attributes:
        systems: by name, made when they are first needed: the model alone, the agent, the untuned base, peers, programs.
        tokenizers: by name; the first is what the reference "through the tokenizer" goes through.
        describe: what puts clips into words, by name.
        tell: words of one measurement, for real faces.
        talk: makes an agent without a past.
        key: a digest of all their weights.
    """

    systems: Mapping[str, Callable[[], System]]
    tokenizers: Mapping[str, FaceTokenizer]
    describe: Mapping[str, Callable[[Sequence[FaceSequence]], list[str]]] = field(default_factory=dict)
    tell: Callable[[Measurement], str] | None = None
    talk: Callable[[], Agent] | None = None
    key: str = ""


@dataclass(frozen=True)
class Asked:
    """What of a suite is run, and where it is kept.

    Attributes:
        suite: the suite.
        out: folder of rows, clips and reports.
        command: the command line up to the options that choose parts and systems.
        parts: only these; empty: all that the suite has.
        systems: only these; empty: the suite's and all that were handed in beside.
        footage: annotated clips of real faces.
    """

    suite: Suite
    out: Path | str
    command: str
    parts: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    footage: tuple[Path, ...] = ()


class Bench:
    """One run."""

    def __init__(self, asked: Asked, models: Models, head: HeadModel, matcher: Matcher, progress: Progress = silent) -> None:
        if unknown := [p for p in asked.parts if p not in PARTS]:
            raise ValueError(f"--only is {unknown[0]!r}; allowed: {', '.join(asked.suite.parts)}, with a comma between them")
        self.asked, self.suite, self.models, self.head, self.matcher = asked, asked.suite, models, head, matcher
        self.progress = progress
        offered = list(dict.fromkeys((*self.suite.systems, *(n for n in models.systems if n not in SYSTEMS))))
        if unknown := [s for s in asked.systems if s not in offered]:
            raise ValueError(f"--systems is {unknown[0]!r}; allowed: {', '.join(offered)}")
        self.names = [s for s in offered if not asked.systems or s in asked.systems]
        self.out = Path(asked.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.out / ROWS)
        self._made: dict[str, System] = {}
        self._kept = {r["key"]: r["sheets"] for r in self.journal.rows() if "sheets" in r}

    # -- data ---------------------------------------------------------------------------
    def _items(self, count: int, split: str) -> list[Item]:
        suite = self.suite
        if suite.corpus:
            return corpus_items(suite.corpus, count, split, suite.seed)
        return fresh_items(count, split, suite.seed, self.head)

    @cached_property
    def known(self) -> list[Item]:
        """Training clips for retrieval and chance."""
        return self._items(self.suite.known, "train")

    @cached_property
    def test(self) -> list[Item]:
        """Test clips, as many as the largest part needs."""
        wanted = [w.count for w in self.suite.words if w.prompts == "captions"]
        wanted += [p.count for p in (self.suite.descriptions, self.suite.tokenizer) if p]
        return self._items(max(wanted, default=1), "test")

    @property
    def tokenizer(self) -> FaceTokenizer:
        """The first of the tokenizers."""
        return next(iter(self.models.tokenizers.values()))

    # -- systems ------------------------------------------------------------------------
    def system(self, name: str, cases: Sequence[Case]) -> System:
        """A system by its name; the references know the cases' right scripts, or the training clips."""
        if name in (TRUTH, REBUILT):
            schedules = {c.text: c.schedule for c in cases}
            return Truth(schedules, self.head, self.tokenizer if name == REBUILT else None)
        if name not in self._made:
            made: dict[str, Callable[[], System]] = {RETRIEVAL: lambda: Retrieval(self.known), RANDOM: lambda: Chance(self.known)}
            self._made[name] = {**made, **self.models.systems}[name]()
        return self._made[name]

    def _able(self, names: Iterable[str]) -> list[str]:
        """The systems that there are: a suite may name some that were not handed in."""
        return [n for n in names if n in (TRUTH, REBUILT, RETRIEVAL, RANDOM) or n in self.models.systems]

    def _moving(self) -> list[str]:
        """The systems whose movement and speed tell something: not the untuned base, whose motion is arbitrary and long."""
        return [n for n in self.names if n != UNTUNED]

    def _command(self, part: str) -> Callable[[str], str]:
        return lambda name: f"{self.asked.command} --only {part}" + (f' --systems "{name}"' if name in self.names else "")

    # -- the run ------------------------------------------------------------------------
    def run(self) -> list[Sheet]:
        """All tables, those of an earlier run among them."""
        out: list[Sheet] = []
        for part in PARTS:
            if part not in self.suite.parts or self.asked.parts and part not in self.asked.parts:
                continue
            if part == "words":
                for one in self.suite.words:
                    out += self._words(one)
            else:
                out += self._whole(part)
        return out

    def _whole(self, part: str) -> list[Sheet]:
        """The tables of a part that is kept as a whole."""
        names = self._moving() if part in ("kinematics", "speed") else []  # the other parts have rows of their own
        key = digest([part, asdict(getattr(self.suite, part)), self.suite.seed, self.suite.corpus, self.suite.known, names,
                      self.models.key, [str(p) for p in self.asked.footage]])
        if key not in self._kept:
            made = [s.to_dict() for s in getattr(self, f"_{part}")()]
            self.journal.add({"key": key, "sheets": made})
            self._kept[key] = made
        return [Sheet.from_dict(s) for s in self._kept[key]]

    def _words(self, part: WordsPart) -> list[Sheet]:
        cases = cases_of(part, self.test if part.prompts == "captions" else [], self.suite.seed)
        if not cases:
            raise ValueError(f"{part.title}: there are no prompts")
        shown = frozenset(i for i in range(0, len(cases), max(len(cases) // SHOWN, 1))[:SHOWN])
        asked = words.Asked(part.title, cases, self.suite.seed, part.varied, self.journal, self.out / "clips", shown)
        judge = Judge(self.head, self.matcher)
        names = self._able(n for n in self.names if part.systems is None or n in part.systems or n not in self.suite.systems)
        key = digest([self.models.key, self.matcher.about])
        found = {n: words.perform_all(self.system(n, cases), asked, judge, key, self.progress) for n in names}
        truth = self.matcher.of_clips([perform(c.schedule, self.head) for c in cases])
        beside = words.Beside(self.matcher.of_texts([c.text for c in cases]), truth, [c.meaning for c in cases])
        sheets = words.sheet(asked, found, beside, self._command("words"), _about(part, cases))
        examples = [{"at": i, "kind": cases[i].kind, "text": "" if cases[i].secret else cases[i].text,
                     "ok": {n: r[i]["ok"] for n, r in found.items()}} for i in sorted(shown)]
        sheets[0].extra["examples"] = examples
        return sheets

    def _descriptions(self) -> list[Sheet]:
        assert self.suite.descriptions is not None
        items = self.test[:self.suite.descriptions.count]
        near = nearest([i.prompt for i in self.known], [i.description for i in items])
        chance = Chance(self.known)
        said = {"reference texts": [i.description for i in items],
                "a training text about the nearest prompt": [self.known[k].description for k in near],
                "a random training text": [self.known[chance.place(self.suite.seed + k)].description for k in range(len(items))]}
        for k, (name, work) in enumerate(self.models.describe.items()):
            said[name] = work([i.clip for i in items])
            self.progress(k + 1, len(self.models.describe), "descriptions")
        return [descriptions.sheet(items, said, self.matcher, self._command("descriptions"), self.suite.seed)]

    def _questions(self) -> list[Sheet]:
        part = self.suite.questions
        if part is None or self.models.talk is None:
            return []
        return [talks.sheet(part.sets, part.each, self.models.talk, self._command("questions"), self.suite.seed,
                             self.progress)]

    def _tokenizer(self) -> list[Sheet]:
        assert self.suite.tokenizer is not None
        clips = [i.clip for i in self.test[:self.suite.tokenizer.count]]
        return [coding.sheet(self.models.tokenizers, clips, self.matcher, self._command("tokenizer"), self.progress)]

    def _kinematics(self) -> list[Sheet]:
        assert self.suite.kinematics is not None
        count = self.suite.kinematics.count
        cases = [Case("movement", text, schedule) for text, schedule in kinematics.scheduled(count)]
        systems = [self.system(n, cases) for n in self._able(self._moving()) if n not in (RETRIEVAL, RANDOM)]
        return [kinematics.sheet(systems, count, self.suite.seed, self.head, self._command("kinematics"), self.progress)]

    def _faces(self) -> list[Sheet]:
        part = self.suite.faces
        if part is None or not self.asked.footage:
            return []
        footage = faces.Footage(self.asked.footage, self.out / "fits", part.split)
        system = self.system(AGENT, []) if AGENT in self.models.systems else None
        return [faces.sheet(footage, self.head, self._command("faces")(""), self.models.tell, system, self.progress)]

    def _speed(self) -> list[Sheet]:
        assert self.suite.speed is not None
        fast = [n for n in self._able(self._moving()) if n not in (TRUTH, REBUILT, RETRIEVAL, RANDOM)]
        systems = [self.system(n, []) for n in fast]
        if not systems:
            return []
        return [speed.sheet(systems, self.suite.speed.repeats, self.head, self._command("speed"), self.progress)]


def _about(part: WordsPart, cases: Sequence[Case]) -> str:
    many = f"{len(cases)} prompts. "
    if part.prompts == "captions":
        return many + ("Right is a clip that shows every action of the caption's script in its order and nothing else; systems "
                       "are given its length.")
    return many + "Right is a clip that passes the check of the right script; learned scores compare with the animator's clips."


def results(asked: Asked, models: Models, sheets: Sequence[Sheet], matcher: Matcher, version: str) -> dict[str, Any]:
    """Plain values of a run for JSON: no times and no names of machines, so that two machines can be compared."""
    return {"suite": asked.suite.title, "seed": asked.suite.seed, "facelm": version, "command": asked.command,
            "weights": models.key, "retrieval_model": matcher.about, "tables": [s.to_dict() for s in sheets]}
