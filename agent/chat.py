"""A minimal multi-turn conversation in the terminal: ask about a clip, or have one performed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..common.progress import Progress
from ..face.clip.sequence import FaceSequence
from .media import Loaded, describe_parts, lines, load_motion
from .pipeline import check_request
from .transition import asks_for_transition

if TYPE_CHECKING:
    from .pipeline import FaceLM

HELP = """Type what the face shall do ("She smiles, then nods twice."), or ask about the clip ("How often does it blink?").
"Turn this face from anger to happiness" and "now change it to sad, via neutral" go on from the clip at hand.
  /open FILE       talk about this clip, video or picture
  /window N        the N-th window of a long video (describe tells them all)
  /measure         the measured actions
  /describe        describe the clip        /seconds S  exact duration of performances (0: free)
  /help            this text                /quit       leave (or end of input)"""

_POLITE = re.compile(r"^(?:please\s+|(?:can|could|would|will) you (?:please )?)", re.IGNORECASE)
"""A request in the form of a question: what follows is performed."""
_TELL = re.compile(r"^(?:(?:can|could|would|will) you )?(?:please )?(?:tell me|describe)\b[ ,:]*", re.IGNORECASE)
_QUESTION = re.compile(
    # "Have her smile.", "Do a wink." and "When the smile fades, nod." ask for a performance
    r"\?\s*$|^(?:what|which|who|how|does|did|is|are|was|were|has)\b"
    r"|^do (?:they|the|you|her|his|its|both)\b|^when (?:does|do|did|is|are|was|were)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """One reply: text, and the clip that it performed if it did."""

    text: str
    clip: Path | None = None


@dataclass
class ChatSession:
    """The state of a conversation. A performance becomes the clip at hand."""

    agent: FaceLM
    out: Path
    clip: FaceSequence | None = None
    seed: int = 0
    seconds: float | None = None
    idle: bool = True
    temperature: float = 0.5
    candidates: int | None = None
    progress: Progress | None = None
    """Called while a video is fitted."""
    film: Loaded | None = None
    """The windows of the video at hand; ``clip`` is one of them."""
    made: int = field(default=0, init=False)

    def reply(self, text: str) -> Answer:
        """Answer one line of the user. Raises ValueError/FileNotFoundError for wrong input."""
        text = text.strip()
        if text.startswith("/"):
            return self._command(*text[1:].split(maxsplit=1))
        if told := _TELL.match(text):
            question = text[told.end():]
            if re.match(r"(?:when|what|which|who|how|if|whether)\b", question, re.IGNORECASE) and "happen" not in question:
                return Answer(self.agent.ask(self._need_clip(), question[0].upper() + question[1:]))
            return Answer(self._describe())
        if polite := _POLITE.match(text):
            text = text[polite.end():].rstrip(" ?")
        elif _QUESTION.search(text):
            return Answer(self.agent.ask(self._need_clip(), text))
        if asks_for_transition(text, self.clip is not None):
            return self._transition(text)
        clip = self.agent.generate(text, self.seconds, self.seed + self.made, self.idle, self.temperature,
                                   candidates=self.candidates)
        path = self._keep(clip)
        return Answer(f"{self.agent.describe(clip)} ({clip.seconds:.1f} s, {path})", path)

    def _transition(self, text: str) -> Answer:
        """Go on from the clip at hand, or from the face at rest."""
        start = "the face at rest" if self.clip is None else "the last frame of the clip at hand"
        done = self.agent.transition(text, self.clip, self.seconds, seed=self.seed + self.made, idle=self.idle,
                                     candidates=self.candidates)
        path = self._keep(done.clip)
        notes = "".join(f" Note: {w}." for w in done.warnings)
        way = ", then ".join(done.names)
        return Answer(f"From {start}: {way} ({done.clip.seconds:.1f} s, {path}).{notes}", path)

    def _keep(self, clip: FaceSequence) -> Path:
        """Write a performance, which becomes the clip at hand."""
        self.out.mkdir(parents=True, exist_ok=True)
        path = self._free_name()
        clip.save(path)
        self.made += 1
        self.clip, self.film = clip, None
        return path

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
        if name == "window":
            return self._window(argument)
        if name == "describe":
            return Answer(self._describe())
        if name == "measure":
            actions = self.agent.measure(self._need_clip()).actions
            return Answer("\n".join(f"{a.onset:.2f}-{a.offset:.2f} s {a.name} ({a.intensity:.2f})" for a in actions) or "at rest")
        if name == "seconds":
            try:
                value = float(argument)
            except ValueError:
                raise ValueError(f"/seconds needs a number, not {argument!r}") from None
            if value:
                check_request(["any"], value)
            self.seconds = value or None
            return Answer(f"performances last {value:g} s" if self.seconds else "the model chooses the duration")
        raise ValueError(f"unknown command /{name}; /help lists them")

    def show(self, loaded: Loaded) -> None:
        """Make a loaded file the clip at hand (its first window, when it has several)."""
        self.film, self.clip = loaded if len(loaded.parts) > 1 else None, loaded.seq

    def _describe(self) -> str:
        if self.film is not None:
            return "\n".join(lines(self.film, describe_parts(self.agent, self.film)))
        return self.agent.describe(self._need_clip())

    def _window(self, argument: str) -> Answer:
        parts = self.film.parts if self.film is not None else ()
        if not argument.isdigit() or not 1 <= int(argument) <= len(parts):
            said = f"a number from 1 to {len(parts)}" if parts else "a video of more than one window; there is none"
            raise ValueError(f"/window needs {said}")
        part = parts[int(argument) - 1]
        self.clip = part.seq
        return Answer(f"{part.label}: {self.agent.describe(part.seq)}")

    def _need_clip(self) -> FaceSequence:
        if self.clip is None:
            raise ValueError("there is no clip yet; open one with /open CLIP.npz (or a video), or type what the face shall do")
        return self.clip

    def _free_name(self) -> Path:
        number = self.made
        while (path := self.out / f"turn-{number:03d}.npz").exists():
            number += 1
        return path


def loop(session: ChatSession, source: TextIO, sink: TextIO) -> None:
    """Read lines until /quit or the end of input; a wrong line is answered, not fatal."""
    print(HELP, file=sink)
    if session.clip is not None:
        print(session.reply("/describe").text, file=sink)
    while True:
        print("> ", end="", file=sink, flush=True)
        line = source.readline()
        if not line or line.strip() == "/quit":
            print("", file=sink)
            return
        if not line.strip():
            continue
        try:
            print(session.reply(line).text, file=sink)
        except (ValueError, OSError) as err:
            print(f"cannot do that: {err}", file=sink)
