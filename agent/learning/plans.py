"""Lines of conversations written by hand, each with its plan, and variants of them (data_gen/text/lines/*.yaml)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from ...common.config import load_yaml
from ...common.files import digest
from ...common.progress import Progress, silent
from ...data_gen.text.multiply import WRITERS
from ...data_gen.text.quantities import find_spans
from ...data_gen.text.written import written
from ...data_gen.wording.exchange import kind, redo, refeel
from ...data_gen.wording.noise import noisy
from ...data_gen.wording.phrases import inflect, nouns, verbs
from ...face.facs.script import Cue, Script
from ...face.facs.script_text import read_script
from ...face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, FEELING, NAMES, PAIRED
from ...llm.data import PlanLine
from ...llm.grammar.plans import Step, context, parse_plan, sided_line, write_plan
from ..motion.reading import plan_request

PERFORM, AS_WRITTEN, NOISE, RECENT = 0.08, 0.25, 0.25, 0.7
"""Shares: of lines that are prompts, of those that stay as they were written, of lines with noise, and of recent ones."""
_WHOLE = re.compile(r"\b(?:move|swap|together|reverse|only|continue|length|again|pause|starts|earlier|later"
                    r"|ask-(?:first|last|list|after|before|emotion|during))\b|\ball\b")
"""In a plan: that what else happens matters."""


@dataclass(frozen=True)
class Line:
    """What a user says, beside what, and what it asks for.

    Attributes:
        say: the words.
        plan: what they ask for.
        start: the script of the clip at hand; without cues there is none.
        before: what the user said a line before; may be empty.
    """

    say: str
    plan: tuple[Step, ...]
    start: Script = Script()
    before: str = ""


def _texts(split: str, only: Sequence[str] = ()) -> list[str]:
    folder = files("facelm").joinpath("data_gen", "text", "lines")
    own = [f for f in folder.iterdir() if f.name.startswith(f"{split}_") and (not only or f.name[len(split) + 1:-5] in only)]
    if missing := set(only) - {f.name[len(split) + 1:-5] for f in own}:
        raise ValueError(f"no lines {', '.join(sorted(missing))}; there are files {split}_NAME.yaml in data_gen/text/lines")
    return [f.read_text(encoding="utf-8") for f in sorted(own, key=lambda f: f.name)]


def lines_digest() -> str:
    """A digest of the training lines, which changes when they do."""
    return digest(_texts("train"))


def held_out_plans() -> list[PlanLine]:
    """The development lines with their plans."""
    return [plan_line(line) for line in written_lines("dev")]


@cache
def written_lines(split: str = "train", only: tuple[str, ...] = ()) -> tuple[Line, ...]:
    """The lines of a split, in the order of the files; ``only`` those of some files (``edits_a``).

    Raises:
        ValueError: a line whose script or plan is none, or a file that is not there.
    """
    return tuple(line for text in _texts(split, only) for line in read_lines(text))


def read_lines(text: str) -> list[Line]:
    """The lines of a YAML text: rows with ``say``, ``do``, and maybe ``start`` and ``prev``.

    Raises:
        ValueError: a row whose script or plan is none.
    """
    out = []
    for row in load_yaml(text):
        try:
            start = read_script(sided_line(row.get("start") or ""))
            out.append(Line(row["say"], parse_plan(row["do"]), start, row.get("prev") or ""))
        except (ValueError, KeyError) as err:
            raise ValueError(f"{row}: {err}") from err
    return out


def plan_line(line: Line) -> PlanLine:
    """A line as a training example.

    Raises:
        ValueError: the plan says a quantity that the line does not.
    """
    text, quantities = plan_request(line.say, line.before)
    return PlanLine(text, tuple(context(line.start)), tuple(write_plan(line.plan, quantities)))


def make_plans(count: int, seed: int, progress: Progress = silent, recent: tuple[str, ...] = ()) -> Iterator[PlanLine]:
    """Random lines with their plans, most of them from the files ``recent``, if any; the same seed gives the same ones."""
    lines, prompts = written_lines("train"), written("train")
    new = written_lines("train", recent) if recent else ()
    made = tried = 0
    while made < count:
        rng = np.random.default_rng([seed, 3, tried])
        tried += 1
        if rng.random() < PERFORM:
            start = Script()
            line = Line(prompts[int(rng.integers(len(prompts)))].text, (Step("perform"),), start)
        else:
            some = new if new and rng.random() < RECENT else lines
            line = some[int(rng.integers(len(some)))]
            if rng.random() >= AS_WRITTEN:
                line = vary(line, rng)
        if rng.random() < NOISE:
            line = replace(line, say=noisy(line.say, rng))
        try:
            yield plan_line(line)
        except ValueError:  # a quantity in words that the exact rules do not find
            continue
        made += 1
        if made % 1000 == 0 or made == count:
            progress(made, count)


# -- variants -----------------------------------------------------------------------------
def vary(line: Line, rng: np.random.Generator) -> Line:
    """A line with other names, numbers, sides or neighbours, and the plan that fits."""
    for change in rng.permutation(4):
        if rng.random() < 0.6:
            line = (_renamed, _renumbered, _mirrored, _beside)[int(change)](line, rng)
    return line


def _cues(line: Line) -> list[Cue]:
    return [*line.start.cues, *(c for s in line.plan for c in s.script.cues)]


def _renamed(line: Line, rng: np.random.Generator) -> Line:
    """One name exchanged wherever it stands, where the words hold a phrase of exactly it."""
    names = [*dict.fromkeys([c.name for c in _cues(line)] + [n for s in line.plan for n in s.names])]
    if not names:
        return line
    old = names[int(rng.integers(len(names)))]
    if old not in NAMES or old == "neutral":
        return line
    options = [n for n in NAMES if n not in names and n != "neutral" and _alike(old, n)]
    new = options[int(rng.integers(len(options)))]
    cue = next((c for c in _cues(line) if c.name == old), None)
    plain = Cue(old, cue.side if cue is not None and old in DIRECTIONS else "left" if old in DIRECTIONS else "both")
    def exchange(text: str) -> str | None:
        if kind(old) == "feeling":
            return refeel(text, plain, new, rng)
        return redo(text, plain, new, rng) or _reworded(text, old, new)

    say = exchange(line.say)
    if say is None:
        mentioned = {n for s in line.plan for n in s.names} | {c.name for s in line.plan for c in s.script.cues}
        if old in mentioned or old.split("_")[0] in f"{line.say} {line.before}".lower():
            return line
        say = line.say  # nobody speaks of it
    elif line.before:
        line = replace(line, before=exchange(line.before) or line.before)

    def cues(script: Script) -> Script:
        return replace(script, cues=tuple(replace(c, name=new) if c.name == old else c for c in script.cues))

    plan = tuple(replace(s, things=tuple((new if n == old else n, k) for n, k in s.things), script=cues(s.script))
                 for s in line.plan)
    return replace(line, say=say, plan=plan, start=cues(line.start))


@cache
def _bare(name: str) -> tuple[str, ...]:
    """Words of a name that are a verb and a noun alike: "nod", "frown"."""
    said = {n.removeprefix("a {a} ") for n in nouns(name, False)}
    return tuple(p.head for p in verbs(name, False) if not p.rest and p.head in said)


_FORMS = ("base", "third", "ger")


def _reworded(text: str, old: str, new: str) -> str | None:
    """A text with a word that is verb and noun alike exchanged for another such, in all its forms."""
    if not _bare(new):
        return None
    for word in _bare(old):
        forms = {inflect(word, f): inflect(_bare(new)[0], f) for f in _FORMS}
        pattern = re.compile(rf"\b({'|'.join(forms)})\b", re.IGNORECASE)
        if pattern.search(text):
            return pattern.sub(lambda m, forms=forms: _cased(m[0], forms[m[0].lower()]), text)  # type: ignore[misc]
    return None


def _alike(old: str, new: str) -> bool:
    """Whether a name can stand in every place of another."""
    def sort(name: str) -> tuple[bool, bool, bool]:
        return name in PAIRED, name in DIRECTIONS, name in FEELING or kind(name) == "feeling"
    return sort(old) == sort(new) and (old in BEHAVIOUR or new not in BEHAVIOUR or kind(old) == "action")


def _renumbered(line: Line, rng: np.random.Generator) -> Line:
    """Other numbers, in the words and in the plan, where both hold the same ones."""
    spans = sorted(find_spans(line.say), key=lambda s: s.start)
    said = {(k, round(v, 3)) for s in line.plan for k, v in s.values} | {
        ("c", float(c.count)) for s in line.plan for c in s.script.cues if c.count}
    if not spans or not said or any(not s.kind for s in spans):
        return line
    new: dict[tuple[str, float], float] = {}
    for k, v in said:
        new[k, v] = (float(rng.integers(2, 9)) if k == "c" else round(0.05 * float(rng.integers(1, 20)), 2) if k == "p" else
                     float(rng.choice([0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7])))
    if ("t" in {k for k, _ in said}) and len([1 for k, _ in said if k == "t"]) > 1:
        times = sorted(v for k, v in said if k == "t")
        drawn = sorted(rng.choice(10, len(times), replace=False) + 1.0)
        new |= {("t", v): float(d) for v, d in zip(times, drawn, strict=True)}
    text, at = "", 0
    for span in spans:
        key = span.kind, round(span.value, 3)
        old = line.say[span.start:span.end]
        word = WRITERS[span.kind](old, new[key]) if key in new else old
        if word is None:
            return line
        text, at = text + line.say[at:span.start] + word, span.end
    plan = []
    for s in line.plan:
        values = tuple((k, new.get((k, round(v, 3)), v)) for k, v in s.values)
        cues = tuple(replace(c, count=int(new.get(("c", float(c.count)), c.count))) if c.count else c for c in s.script.cues)
        plan.append(replace(s, values=values, script=replace(s.script, cues=cues)))
    return replace(line, say=text + line.say[at:], plan=tuple(plan))


_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_NO_SIDE = re.compile(
    r"\b(?:right (?:away|now|after|before|at|on|there|from|then|when|as|amount|thing|up|order|number|length|one|place|moment|time"
    r"|speed)|all ?right|that'?s right|right[,?.!]|left (?:out|over|off)|is left|,? right\W*$|not right|just right|right,)",
    re.IGNORECASE)


def _mirrored(line: Line, rng: np.random.Generator) -> Line:
    """Left and right exchanged."""
    text = f"{line.say}\n{line.before}"
    sides = [c.side for c in _cues(line) if c.side != "both"] + [w for s in line.plan for w in s.words if w in _SIDES]
    if not sides or _NO_SIDE.search(line.say) or _NO_SIDE.search(line.before) or not _SIDE.search(text) and rng.random() < 0.5:
        return line

    def swapped(words: str) -> str:
        return _SIDE.sub(lambda m: _cased(m[0], _SIDES[m[0].lower()]), words)

    def cues(script: Script) -> Script:
        return replace(script, cues=tuple(replace(c, side=_SIDES.get(c.side, c.side)) for c in script.cues))  # type: ignore[arg-type]

    plan = tuple(replace(s, words=tuple(_SIDES.get(w, w) for w in s.words), script=cues(s.script)) for s in line.plan)
    return replace(line, say=swapped(line.say), before=swapped(line.before), plan=plan, start=cues(line.start))


def _cased(old: str, new: str) -> str:
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new


def _beside(line: Line, rng: np.random.Generator) -> Line:
    """Something more, or less, in the clip, where it makes no difference."""
    plan = "; ".join(map(str, line.plan))
    if not line.start.cues or _WHOLE.search(plan) or not any(s.things for s in line.plan) or re.search(
            r"\b(?:it|that|this|one|ones|they|them|both|last|first)\b", line.say.lower()):
        return line
    named = {n for s in line.plan for n in s.names}
    free = [k for k, c in enumerate(line.start.cues) if c.name not in named]
    cues = list(line.start.cues)
    if free and rng.random() < 0.4 and len(cues) > 1:
        del cues[free[int(rng.integers(len(free)))]]
    else:
        options = [n for n in NAMES if n not in named and n not in DIRECTIONS and all(n != c.name for c in cues)]
        cues.insert(int(rng.integers(len(cues) + 1)), Cue(options[int(rng.integers(len(options)))]))
    cues[0] = replace(cues[0], join="then")
    return replace(line, start=replace(line.start, cues=tuple(cues)))
