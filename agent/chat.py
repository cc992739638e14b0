"""A minimal multi-turn conversation in the terminal: ask about a clip, or have one performed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TextIO

from ..common.progress import Progress, silent
from ..data_gen.text.transition_text import Instruction
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.facs.measured import Measurement
from ..face.facs.script import Script
from ..face.facs.script_text import write_script
from .intent import question_in, transition_in, without_politeness
from .media import Loaded, Part, describe_parts, lines, load_motion
from .motion.editing import edited, read_edits, wants_change, without_fillers
from .pipeline import FaceLM
from .requests import GenerateRequest, Sampling, Seconds, parsed, transition_request

LEAVE = ("/quit", "quit", "exit", "bye")
HELP = """Type what the face should do ("She smiles, then nods twice."), or ask about the clip ("How often does it blink?").
"Turn this face from anger to happiness" and "now change it to sad, via neutral" go on from the clip at hand.
  /open FILE       talk about this clip, video or picture
  /window N        the N-th window of a long video (/describe lists them all)
  /measure         the measured actions
  /describe        describe the clip        /seconds S  exact duration of performances (0: free)
  /undo /redo      go back, and forth       /script     what was performed, as a line
  /help            this text                /quit       leave (or end of input)
What was performed can be changed: "make it stronger", "the nod faster", "without the wink", "add a yawn at the end"."""


@dataclass(frozen=True)
class Answer:
    """One reply: text, and the clip that it performed if it did."""

    text: str
    clip: Path | None = None


_MARK = (r"hi|hello|hey|thanks?|cheers|great|nice|cool|perfect|lol|haha|sorry|ok|okay|wow|awesome|lovely|hmm?|bye|yes|yeah|yep"
         r"|nope|alright")
_BESIDE = (r"there|you|very|much|an?|lot|good|job|morning|well|done|that|that'?s|looks?|is|its?|it's|this|so|really|pretty|my"
           r"|mistake|bad|not|what|i|wanted|no|right|got|work")
_MARKED = re.compile(rf"\b(?:{_MARK})\b", re.IGNORECASE)
_TALK = re.compile(rf"(?:(?:{_MARK}|{_BESIDE})\b\W*)+", re.IGNORECASE)
"""Small talk: words that make a line small talk, among words that may stand beside them."""
_WORDS = {"undo": "undo", "undo that": "undo", "undo it": "undo", "go back": "undo", "redo": "redo", "redo that": "redo"}


@dataclass(frozen=True)
class _State:
    """What is at hand at one moment of a conversation."""

    clip: FaceSequence | None
    film: Loaded | None
    part: Part | None
    script: Script | None
    starts: tuple[float, ...]
    path: Path | None


@dataclass
class ChatSession:
    """The state of a conversation; a performance becomes the clip at hand."""

    agent: FaceLM
    out: Path
    sampling: Sampling = Sampling()
    """Each turn that makes a motion takes the next seed."""
    seconds: float | None = None
    clip: FaceSequence | None = None
    progress: Progress = silent
    """Called while a video is fitted."""
    film: Loaded | None = None
    """The windows of the video at hand; ``clip`` is one of them."""
    part: Part | None = None
    """What ``clip`` was loaded as, if it came from a file."""
    made: int = field(default=0, init=False)
    script: Script | None = None
    """What the clip at hand performs, if it does."""
    starts: tuple[float, ...] = ()
    """When its cues began, s."""
    path: Path | None = None
    """The file of the clip at hand, if it was performed here."""
    past: list[_State] = field(default_factory=list, init=False)
    undone: list[_State] = field(default_factory=list, init=False)

    def reply(self, text: str) -> Answer:
        """Answer one line of the user. Raises ValueError/FileNotFoundError for wrong input."""
        text = text.strip()
        if text.startswith("/"):
            return self._command(*text[1:].split(maxsplit=1))
        if (question := question_in(text)) is not None:
            return Answer(self.agent.ask(self._at_hand(), question) if question else self._describe())
        text = without_politeness(text)
        if _MARKED.search(text) and _TALK.fullmatch(text):
            undo = ' "undo" goes back;' if "wanted" in text.lower() or "sorry" in text.lower() else ""
            return Answer(f"All right.{undo} say what the face should do, what to change, or ask about the clip; /help has more.")
        if (word := without_fillers(text)) in _WORDS:
            return self._command(_WORDS[word])
        if instruction := transition_in(text, self.clip is not None):
            return self._transition(instruction)
        changed = ""
        if self.script and self.script.cues and (edits := read_edits(text, self.script, self.agent.read)):
            script = edited(self.script, edits, self.starts)
            changed = f"Changed to: {write_script(script)}. "
            made, = self.agent.perform_many([script], self.seconds, self._sampling().seed, self.sampling.idle,
                                            self.sampling.temperature, candidates=self.sampling.candidates)
        elif self.clip is not None and wants_change(text):
            raise ValueError('that change is not known here; e.g. "make the smile stronger", "without the nod", "add a wink at '
                             'the end"; /script shows what was performed')
        else:
            made, = self.agent.perform(GenerateRequest.of([text], self.seconds, self._sampling()))
        path = self._keep(made.clip, made.script, made.schedule.starts(len(made.script.cues)))
        notes = [c.sentence for c in made.checks.failed] + [f"I don't know how a face does {w!r}" for w in made.script.unknown]
        return Answer(changed + " ".join([f"{self.agent.describe(made.clip)} ({made.clip.seconds:.1f} s, {path})",
                                *(f"Note: {n}." for n in notes)]), path)

    def _transition(self, instruction: Instruction) -> Answer:
        """Go on from the clip at hand, or from the face at rest."""
        start = "the face at rest" if self.clip is None else "the last frame of the clip at hand"
        done, = self.agent.carry_out([transition_request(instruction, self.seconds)], [self.clip], self._sampling())
        path = self._keep(done.clip)
        notes = "".join(f" Note: {w}." for w in done.warnings)
        way = ", then ".join(done.names)
        return Answer(f"From {start}: {way} ({done.clip.seconds:.1f} s, {path}).{notes}", path)

    def _sampling(self) -> Sampling:
        return replace(self.sampling, seed=self.sampling.seed + self.made)

    def _keep(self, clip: FaceSequence, script: Script | None = None, starts: tuple[float, ...] = ()) -> Path:
        """Write a performance, which becomes the clip at hand."""
        self._remember()
        self.out.mkdir(parents=True, exist_ok=True)
        path = self._free_name()
        clip.save(path)
        self.made += 1
        self.clip, self.film, self.script, self.starts, self.path = clip, None, script, starts, path
        return path

    def _remember(self) -> None:
        self.past.append(self._state())
        self.undone.clear()

    def _state(self) -> _State:
        return _State(**{f.name: getattr(self, f.name) for f in fields(_State)})

    def _step(self, back: bool) -> Answer:
        """Go to what was at hand before, or after it."""
        here, there = (self.past, self.undone) if back else (self.undone, self.past)
        if not here:
            raise ValueError(f"there is nothing to {'undo' if back else 'redo'}")
        there.append(self._state())
        for name, value in vars(here.pop()).items():
            setattr(self, name, value)
        if self.clip is None:
            return Answer("There is no clip at hand any more.")
        return Answer(f"Back at {self.path.name if self.path else 'the clip that was opened'}: {self._describe()}", self.path)

    def _command(self, name: str = "", argument: str = "") -> Answer:
        if name == "help":
            return Answer(HELP)
        if name == "open":
            if not argument:
                raise ValueError("/open needs a file: /open CLIP.npz, or a video or picture")
            loaded = load_motion(argument, self.agent.head, self.progress)
            said = lines(loaded, describe_parts(self.agent, loaded))  # what cannot be read does not replace the clip at hand
            self.show(loaded)
            about = f" ({loaded.note})" if loaded.note else ""
            between = " " if len(said) == 1 else "\n"
            return Answer(f"{argument}: {loaded.parts[-1].end:.1f} s{about}.{between}" + "\n".join(said))
        if name in ("undo", "redo"):
            return self._step(name == "undo")
        if name == "script":
            return Answer("(it was not performed from a script)" if self.script is None else write_script(self.script))
        if name == "window":
            return self._window(argument)
        if name == "describe":
            return Answer(self._describe())
        if name == "measure":
            shown = self._at_hand()
            actions = (shown if isinstance(shown, Measurement) else self.agent.measure(self._need_clip())).actions
            return Answer("\n".join(f"{a.onset:.2f}-{a.offset:.2f} s {a.name} ({a.intensity:.2f})" for a in actions) or "at rest")
        if name == "seconds":
            try:
                value = float(argument)
            except ValueError:
                raise ValueError(f"/seconds needs a number, not {argument!r}") from None
            self.seconds = parsed(Seconds, value) if value else None
            return Answer(f"performances last {value:g} s" if self.seconds else "the model chooses the duration")
        raise ValueError(f"unknown command /{name}; /help lists them")

    def show(self, loaded: Loaded) -> None:
        """Make a loaded file the clip at hand (its first window, when it has several)."""
        if self.clip is not None:
            self._remember()
        self.script, self.starts, self.path = None, (), None
        several = len(loaded.parts) > 1
        self.film, self.clip, self.part = (loaded, loaded.seq, None) if several else (None, loaded.seq, loaded.parts[0])

    def _describe(self) -> str:
        if self.film is not None:
            return "\n".join(lines(self.film, describe_parts(self.agent, self.film)))
        return self.agent.describe(self._at_hand())

    def _window(self, argument: str) -> Answer:
        parts = self.film.parts if self.film is not None else ()
        if not argument.isdigit() or not 1 <= int(argument) <= len(parts):
            said = f"a number from 1 to {len(parts)}" if parts else "a video of more than one window; there is none"
            raise ValueError(f"/window needs {said}")
        part = parts[int(argument) - 1]
        self.clip, self.part = part.seq, part
        return Answer(f"{part.label}: {self.agent.describe(part.shown)}")

    def _at_hand(self) -> FaceSequence | Normalised | Measurement:
        """The clip at hand, or what was measured of it; of a film of which no window was chosen, of all of it."""
        clip = self._need_clip()
        if self.film is not None and self.film.measured is not None and self.part is None:
            return self.film.measured
        return self.part.shown if self.part is not None and self.part.seq is clip else clip

    def _need_clip(self) -> FaceSequence:
        if self.clip is None:
            raise ValueError("there is no clip yet; open one with /open CLIP.npz (or a video), or type what the face should do")
        return self.clip

    def _free_name(self) -> Path:
        number = self.made
        while (path := self.out / f"turn-{number:03d}.npz").exists():
            number += 1
        return path


def loop(session: ChatSession, source: TextIO, sink: TextIO, as_json: bool = False) -> None:
    """Read lines until /quit or the end of input; a wrong line is answered, not fatal.

    Args:
        session: the conversation.
        source, sink: where lines come from and answers go.
        as_json: answer each line with one JSON object, and nothing else.
    """
    def say(answer: Answer, error: str = "") -> None:
        facts = {"error": error} if error else {"answer": answer.text, "clip": str(answer.clip) if answer.clip else None}
        print(json.dumps(facts) if as_json else answer.text, file=sink, flush=True)

    if not as_json:
        print(HELP, file=sink)
    if session.clip is not None:
        say(session.reply("/describe"))
    while True:
        print("" if as_json else "> ", end="", file=sink, flush=True)
        line = source.readline()
        if not line or line.strip().lower() in LEAVE:
            print("", end="" if as_json else "\n", file=sink)
            return
        if not line.strip():
            continue
        try:
            say(session.reply(line))
        except (ValueError, OSError) as err:
            say(Answer(f"cannot do that: {err}"), str(err))
