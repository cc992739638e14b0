"""What can be done in a conversation, as typed functions: a program, the rules of a language or a language model call them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ...common.progress import Progress, silent
from ...data_gen.reading.questions import read_things
from ...data_gen.wording.telling import DETAILS, STYLES
from ...face.facs.evidence.answers import ask
from ...face.facs.evidence.compare import differences
from ...face.facs.evidence.query import Query
from ...face.facs.measured import Measurement
from ...face.facs.script import Script
from ...face.facs.script_text import write_script
from ...face.facs.vocabulary import NAMES
from ...llm.grammar.plans import parse_plan
from ..editing.films import edit_film
from ..editing.perform import edit_clip, perform_edits
from ..editing.planned import edits_of
from ..editing.recorded import shown_script
from ..editing.wishes import read_edits
from ..media import Loaded, check_clip, describe_parts, lines, load_motion
from ..motion.answering import answered
from ..motion.checked import Performance, Preview, load_performance
from ..motion.combining import between_scripts, blended, joined
from ..pipeline import FaceLM
from ..requests import GenerateRequest, Sampling, output_file, ready, transition_request
from .comparing import read_comparing, read_loosely
from .queries import answer as compared
from .queries import query_of
from .references import resolve
from .session import Clip, Session


class Refused(ValueError):
    """A wish that cannot be carried out; the text says why and what is possible."""


@dataclass(frozen=True)
class Said:
    """What a tool did.

    Attributes:
        text: for people.
        value: of an answer: a count, seconds, a share, a name, a list or a truth.
        query: of an answer: what was asked.
        check: of what was performed: sentences about what is not as asked for.
        edits: of an edit, its operations.
        takes: ids of the versions to choose from, where there are several.
    """

    text: str
    value: Any = None
    query: Query | None = None
    check: tuple[str, ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    takes: tuple[int, ...] = ()


@dataclass
class Toolbox:
    """The tools of one conversation."""

    agent: FaceLM
    session: Session
    sampling: Sampling = Sampling()
    seconds: float | None = None
    """Exact duration of what is performed; None leaves it."""
    progress: Progress = silent
    preview: Preview | None = None
    """Called with the pieces of a performance as they are made, before it is checked."""
    files: bool = True
    """Whether what is told names the clips' files."""
    asked: Query | None = field(default=None, init=False)
    """The last question, to which "and the second one?" refers."""
    answered: str = field(default="", init=False)
    """The name that was its answer, which "it" may be then; empty where it was something else."""
    meant: tuple[str, str] = field(default=("", ""), init=False)
    """The last line, and the same with what it points at by its name."""
    said: list[Said] = field(default_factory=list, init=False)
    """What the calls of this turn have said so far."""

    # -- making --------------------------------------------------------------------------
    def perform(self, prompt: str, takes: int = 1) -> Said:
        """Perform new facial motion from words; the result is a new clip, which is at hand then.

        With ``takes`` (up to 8) it is performed several times by other chance; each is a version of the clip, to choose from.
        """
        asked = GenerateRequest.of([prompt] * _takes(takes), self.seconds, self._sampling())
        self.progress(0, 1, "reading")
        script, = self.agent.read_many(asked.prompts[:1])
        if script.unknown and not script.cues and not script.still:
            raise Refused(f"I don't know how a face does {script.unknown[0]!r}; say what the face should do, e.g. "
                          '"She smiles, then nods twice."')
        self.progress(0, takes, "performing")
        made = self.agent.perform(asked, scripts=[script] * takes, progress=self.progress, preview=self.preview)
        first = self.session.add([made[0].clip], "performed", prompt, made=made[0])
        return self._made(first, made[0]) if takes == 1 else self._choices(first, first, made, prompt)

    def _choices(self, old: Clip, first: Clip, made: Sequence[Performance], said: str) -> Said:
        """Several takes as versions of one clip, beside each other, of which the first is at hand."""
        others = [self.session.add([m.clip], "take", said, parent=old, made=m, beside=True) for m in made[1:]]
        takes = [first, *others]
        told = [f"take {k + 1} (version {c.version}, {m.clip.seconds:.1f} s): {m.verdict}"
                for k, (c, m) in enumerate(zip(takes, made, strict=True))]
        notes = [f" Note: I don't know how a face does {w!r}." for w in made[0].script.unknown]
        return Said(f"{self._short(first)} {len(takes)} takes to choose from: {'; '.join(told)}.{''.join(notes)}",
                    check=tuple(c.sentence for c in made[0].checks.failed), takes=tuple(c.id for c in takes))

    def shown(self, clip: Clip) -> tuple[Script, Measurement | None]:
        """The script of a clip, and of one that was not performed from a script, its measurement, which the script then says."""
        if clip.script is not None:
            return clip.script, None
        measured = clip.measured()
        return shown_script(measured), measured

    def edit(self, wish: str, clip: str = "", plan: str = "") -> Said:
        """Change a clip: stronger, later, longer, faster, other side, without, add, replace, three times ...; a new version.

        ``plan`` says the wish in steps, e.g. "stronger smile; add-end: wink left" (docs/dialogue.md), and goes before ``wish``.
        """
        old = resolve(clip, self.session)
        before = old.performance()
        script, measured = self.shown(old)
        edits = edits_of(parse_plan(plan), script) if plan else read_edits(wish, script, self.agent.read)
        if not edits:
            raise Refused('that change is not known here; e.g. "make the smile stronger", "without the nod", '
                          f'"add a wink at the end"; it shows: {write_script(script) or "nothing"}')
        ops = tuple(e.to_dict() for e in edits)
        if before is not None:
            made = perform_edits(self.agent.performer, before, edits, self._sampling())
            names = next((e.names for e in edits if e.names), ()) or tuple(c.name for e in edits for c in e.script.cues)
            if names and (things := read_things(names[0].replace("_", " "))):
                self.asked = Query("whether", things[:1])
            new = self.session.add([made.clip], "edited", wish, parent=old, made=made)
            return replace(self._made(new, made, f"Changed to: {write_script(made.script)}. "), edits=ops)
        film, done = old.loaded(), old.sequence()
        if film is not None:
            film = edit_film(self.agent.performer, film, edits)
        else:
            done = edit_clip(self.agent.performer, done, edits, measured)
        new = self.session.add([s.clip for s in film.shots] if film else [done], "edited", wish, parent=old, film=film)
        changes = [d.text for d in differences(measured, new.measured())] if measured else []
        told = "; ".join(changes) or "nothing that is measured changed"
        frames, fps = new.extent
        return Said(f"{new.label} ({frames / fps:.1f} s{self._file(new)}): {told}.", edits=ops)

    def transition(self, instruction: str) -> Said:
        """Go from how the clip at hand ends (or a face at rest) to an expression, or through several."""
        here = self.session.current
        start = "the face at rest" if here is None else f"the last frame of {here.label}"
        done, = self.agent.carry_out([transition_request(instruction, self.seconds)], [here.sequence() if here else None],
                                     self._sampling())
        clip = self.session.add([done.clip], "transition", instruction)
        notes = "".join(f" Note: {w}." for w in done.warnings)
        return Said(f"From {start}: {', then '.join(done.names)} ({done.clip.seconds:.1f} s{self._file(clip)}).{notes}")

    def again(self, clip: str = "", takes: int = 1) -> Said:
        """Perform a clip's script once more, with other chance: another take, as a new version; or several to choose from."""
        old = resolve(clip, self.session)
        if (before := old.performance()) is None:
            raise Refused(f"{old.label} was not performed from a script, so there is no other take of it")
        made = self.agent.perform_many([before.script] * _takes(takes), None, self._sampling().seed, self.sampling.idle,
                                       self.sampling.temperature, candidates=self.sampling.candidates)
        first = self.session.add([made[0].clip], "edited", "again", parent=old, made=made[0])
        return self._made(first, made[0]) if takes == 1 else self._choices(old, first, made, "again")

    def join(self, first: str, second: str) -> Said:
        """Put two clips one after the other into a new clip."""
        a, b = resolve(first, self.session), resolve(second, self.session)
        clip = self.session.add([joined(a.sequence(), b.sequence())], "joined", f"{a.label} and {b.label}")
        return Said(f"{a.label}, then {b.label} ({clip.sequence().seconds:.1f} s{self._file(clip)}).")

    def between(self, first: str = "", second: str = "", share: float = 0.5) -> Said:
        """What would be between two clips, as a new one: their scripts' mean where these have the same cues, else a blend.

        ``share`` is how far from the first (0) to the second (1); without names, the last two clips or versions are meant.
        """
        if not 0.0 <= share <= 1.0:
            raise Refused(f"share is {share:g}; allowed: 0 (the first clip) to 1 (the second)")
        numbers = self.session.numbers
        a, b = ((self.session.latest(n) for n in numbers[-2:]) if not first and not second and len(numbers) > 1
                else self._two(first, second))
        if a.id == b.id:
            raise Refused(f"both are {a.label}; name two clips, e.g. \"half way between clip 1 and clip 2\"")
        said = f"{100 * share:.0f} % of the way from {a.label} to {b.label}"
        x, y = a.performance(), b.performance()
        script = between_scripts(x.script, y.script, (x.schedule, y.schedule), share) if x and y else None
        if script is None:
            clip = self.session.add([blended(a.sequence(), b.sequence(), share)], "between", said)
            return Said(f"{said}: {self._short(clip)} ({clip.sequence().seconds:.1f} s{self._file(clip)})")
        made, = self.agent.perform_many([script], None, x.seed if x else 0, self.sampling.idle, self.sampling.temperature,
                                        candidates=self.sampling.candidates)
        return self._made(self.session.add([made.clip], "between", said, made=made), made, f"{said}: ")

    def open(self, path: str) -> Said:
        """Open a clip, a video or a picture; it is at hand then."""
        made = load_performance(path) if Path(path).suffix.lower() == ".npz" else None
        return self.opened(path, load_motion(path, self.agent.head, self.progress), made)

    def opened(self, path: str, loaded: Loaded, made: Performance | None = None) -> Said:
        """A file that has been read already, with the script that it performs, if one is known."""
        for part in loaded.parts:
            check_clip(part.seq, self.agent.head)
        said = lines(loaded, describe_parts(self.agent, loaded))
        clips = [s.clip for s in loaded.shots] or [loaded.seq]
        if made is not None and made.clip.head == self.agent.head.ref:
            clips = [made.clip]
        else:
            made = None
        clip = self.session.add(clips, "opened", path, film=loaded if loaded.shots else None, made=made)
        about = f" ({loaded.note})" if loaded.note else ""
        between = " " if len(said) == 1 else "\n"
        return Said(f"{path} is clip {clip.number}: {loaded.parts[-1].end:.1f} s{about}.{between}" + "\n".join(said))

    # -- telling -------------------------------------------------------------------------
    def describe(self, clip: str = "", style: str = "plain", detail: str = "brief") -> Said:
        """What a clip shows, in words: style plain, timed, clinical, director or caption; detail brief or full."""
        if style not in STYLES or detail not in DETAILS:
            raise Refused(f"style is {style!r} and detail {detail!r}; allowed: {', '.join(STYLES)}; {', '.join(DETAILS)}")
        one = resolve(clip, self.session)
        loaded = one.loaded()
        if loaded is not None and len(loaded.parts) > 1 and style == "plain" and detail == "brief":
            return Said("\n".join(lines(loaded, describe_parts(self.agent, loaded))))
        return Said(self.agent.describe(one.measured(), style, detail))  # type: ignore[arg-type]

    def ask(self, question: str, clip: str = "", plan: str = "") -> Said:
        """Answer a question about a clip from what is measured in it.

        ``plan`` says the question as a step, e.g. "ask-count nod" (docs/dialogue.md), and goes before ``question``.
        """
        one = resolve(clip, self.session)
        if plan:
            steps = parse_plan(plan)
            if len(steps) != 1 or not steps[0].do.startswith("ask-"):
                raise Refused(f"{plan!r} is no question; allowed: one step such as 'ask-count nod'")
            query: Query | None = query_of(steps[0], question)
            answer = ask(one.measured(), query_of(steps[0], question))
        else:
            query, answer = answered(one.measured(), question, self.asked)
        if query is not None and query.asked != "unseen":
            self.asked = query
        value = answer.value[0] if isinstance(answer.value, list) and len(answer.value) == 1 else answer.value
        self.answered = value if isinstance(value, str) and value in NAMES else ""
        return Said(answer.text, answer.value, query)

    def compare(self, first: str = "", second: str = "", question: str = "") -> Said:
        """Compare clips or versions: all that differs between two, or what a question asks of them.

        E.g. "which clip has the bigger smile?", "is it longer than clip 1?", "how many nods are in each?"
        """
        if question and not (first and second) and (
                found := read_comparing(question, self.session) or read_loosely(question, self.session)):
            done = compared(*found)
            self.asked = found[0].query
            return Said(done.text, done.value, self.asked)
        a, b = self._two(first, second)
        rows = differences(a.measured(), b.measured())
        if not rows:
            return Said(f"{a.label} and {b.label} show the same.", [])
        return Said(f"{a.label} against {b.label}: " + "; ".join(d.text for d in rows) + ".", [d.to_dict() for d in rows])

    def _two(self, first: str, second: str) -> tuple[Clip, Clip]:
        """Two clips: those that are named, else the one at hand and the one before it."""
        b = resolve(second, self.session)
        if first:
            return resolve(first, self.session), b
        if (parent := self.session.find(b.parent)) is not None:
            return parent, b
        others = [n for n in self.session.numbers if n != b.number]
        if not others:
            raise Refused("there is only one clip, so there is nothing to compare it with")
        return self.session.latest(others[-1]), b

    # -- the conversation ------------------------------------------------------------------
    def undo(self, times: int = 1) -> Said:
        """Go back to what was at hand before; 0 times: as far as there is."""
        return self._step(True, times)

    def redo(self, times: int = 1) -> Said:
        """Go forth again after going back; 0 times: as far as there is."""
        return self._step(False, times)

    def _step(self, back: bool, times: int) -> Said:
        clip = self.session.current
        done = 0
        while done < times or not times and (not done or self.session.can_step(back)):
            clip, done = self.session.step(back), done + 1
        if clip is None:
            return Said("There is no clip at hand any more.")
        return Said(f"Back at {clip.label}: {self._short(clip)}")

    def go_to(self, clip: str) -> Said:
        """Take up another clip or version."""
        one = resolve(clip, self.session)
        self.session.go(one)
        return Said(f"At hand: {one.label}: {self._short(one)}")

    def name(self, name: str, clip: str = "") -> Said:
        """Give a clip a name."""
        word = name.strip().strip("'\"").strip()
        if not re.fullmatch(r"[\w][\w -]{0,39}", word):
            raise Refused(f"a name has up to 40 letters, digits, blanks and dashes; {name!r} does not fit")
        one = resolve(clip, self.session)
        self.session.name(one, word)
        return Said(f"Clip {one.number} is called {word}.")

    def list_clips(self) -> Said:
        """Which clips there are."""
        here = self.session.current
        if not self.session.clips:
            return Said("There is no clip yet.", [])
        rows = []
        for number in self.session.numbers:
            versions, latest = self.session.versions(number), self.session.latest(number)
            mark = " (at hand)" if here is not None and here.number == number else ""
            several = f", {len(versions)} versions" if len(versions) > 1 else ""
            rows.append(f"{latest.name or f'clip {number}'}{mark}: {versions[0].said}{several}")
        return Said("\n".join(rows), self.session.numbers)

    def changed(self) -> Said:
        """What the last change did: what differs from the version before."""
        here = resolve("", self.session)
        parent = self.session.find(here.parent)
        if parent is None:
            return Said(f"{here.label[:1].upper()}{here.label[1:]} has not been changed; it was {here.how} ({here.said}).", [])
        rows = differences(parent.measured(), here.measured())
        told = "; ".join(d.text for d in rows) if rows else "Nothing that is measured differs"
        return Said(f"You asked: {here.said}. {told}.", [d.to_dict() for d in rows])

    def script(self, clip: str = "") -> Said:
        """The script that a clip performs, as a line."""
        one = resolve(clip, self.session)
        return Said("(it was not performed from a script)" if one.script is None else write_script(one.script))

    def export(self, path: str, clip: str = "") -> Said:
        """Write a clip as a file, by its ending: .npz, .glb, .mp4, .gif, .png, or another one that `facelm export` knows."""
        from ..file_tools import draw, written_as

        one = resolve(clip, self.session)
        target = output_file(path, *written_as())
        made = one.performance() if target.suffix.lower() == ".npz" else None
        if made is not None:
            made.save(ready(target))
            return Said(f"{one.label[:1].upper()}{one.label[1:]} is written: {target}")
        notes = draw(one.sequence(), target, title=one.said, head=self.agent.head, progress=self.progress).facts.get("notes", [])
        return Said(". ".join([f"{one.label[:1].upper()}{one.label[1:]} is written: {target}", *notes]))

    def say(self, text: str) -> Said:
        """Only say something: an answer to thanks, greetings and comments."""
        return Said(text)

    def refuse(self, reason: str) -> Said:
        """Say that something cannot be done, and what can."""
        raise Refused(reason)

    # -- parts -----------------------------------------------------------------------------
    def _sampling(self) -> Sampling:
        return replace(self.sampling, seed=self.sampling.seed + self.session.tries)

    def _file(self, clip: Clip) -> str:
        return f", {clip.path}" if self.files else ""

    def _short(self, clip: Clip) -> str:
        return self.agent.describe(clip.measured())

    def _made(self, clip: Clip, made: Performance, first: str = "") -> Said:
        failed = tuple(c.sentence for c in made.checks.failed)
        notes = [*failed, *(f"I don't know how a face does {w!r}" for w in made.script.unknown)]
        text = f"{first}{self._short(clip)} ({made.clip.seconds:.1f} s{self._file(clip)})"
        return Said(" ".join([text, *(f"Note: {n}." for n in notes)]), check=failed)


TOOLS: tuple[str, ...] = ("perform", "edit", "transition", "again", "join", "between", "open", "describe", "ask", "compare",
                          "undo", "redo", "go_to", "name", "list_clips", "changed", "script", "export", "say", "refuse")


@dataclass(frozen=True)
class Call:
    """A tool with its arguments."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"tool": self.tool, **({"arguments": self.arguments} if self.arguments else {})}

    def run(self, tools: Toolbox) -> Said:
        """Do it.

        Raises:
            ValueError: an unknown tool or argument, a value of the wrong kind, or what the tool itself refuses.
        """
        if self.tool not in TOOLS:
            raise ValueError(f"there is no tool {self.tool!r}; there are: {', '.join(TOOLS)}")
        function: Callable[..., Said] = getattr(tools, self.tool)
        hints = get_type_hints(getattr(Toolbox, self.tool))
        known = inspect.signature(function).parameters
        if wrong := set(self.arguments) - set(known):
            raise ValueError(f"{self.tool} has no {', '.join(sorted(wrong))}; it takes: {', '.join(known) or 'nothing'}")
        values = {}
        for k, v in self.arguments.items():
            try:
                values[k] = TypeAdapter(hints[k]).validate_python(v)
            except ValidationError:
                raise ValueError(f"{self.tool}: {k} is {v!r}; allowed: {getattr(hints[k], '__name__', hints[k])}") from None
        if missing := [k for k, p in known.items() if p.default is p.empty and k not in values]:
            raise ValueError(f"{self.tool} needs {', '.join(missing)}")
        return function(**values)


def schemas() -> list[dict[str, Any]]:
    """The tools for a language model with native tool calling, in OpenAI's form."""
    out = []
    for name in TOOLS:
        function = getattr(Toolbox, name)
        hints = {k: v for k, v in get_type_hints(function).items() if k != "return"}
        params = inspect.signature(function).parameters
        out.append({"type": "function", "function": {
            "name": name, "description": inspect.getdoc(function) or "",
            "parameters": {"type": "object", "additionalProperties": False,
                           "properties": {k: TypeAdapter(t).json_schema() for k, t in hints.items()},
                           "required": [k for k in hints if params[k].default is params[k].empty]}}})
    return out


def _takes(count: int) -> int:
    if not 1 <= count <= 8:
        raise Refused(f"takes is {count}; allowed: 1 to 8")
    return count
