"""A minimal multi-turn conversation in the terminal: ask about a clip, or have one performed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..face.sequence import FaceSequence
from .pipeline import check_request

if TYPE_CHECKING:
    from .pipeline import FaceLM

HELP = """Type what the face shall do ("She smiles, then nods twice."), or ask about the clip ("How often does it blink?").
  /open CLIP.npz   talk about this clip     /measure    the measured actions
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
            return Answer(self.agent.describe(self._need_clip()))
        if polite := _POLITE.match(text):
            text = text[polite.end():].rstrip(" ?")
        elif _QUESTION.search(text):
            return Answer(self.agent.ask(self._need_clip(), text))
        clip = self.agent.generate(text, self.seconds, self.seed + self.made, self.idle, self.temperature,
                                   candidates=self.candidates)
        self.out.mkdir(parents=True, exist_ok=True)
        path = self._free_name()
        clip.save(path)
        self.made += 1
        self.clip = clip
        return Answer(f"{self.agent.describe(clip)} ({clip.seconds:.1f} s, {path})", path)

    def _command(self, name: str = "", argument: str = "") -> Answer:
        if name == "help":
            return Answer(HELP)
        if name == "open":
            if not argument:
                raise ValueError("/open needs a file: /open CLIP.npz")
            clip = FaceSequence.load(argument, self.agent.head.ref)
            said = self.agent.describe(clip)  # a clip that cannot be read does not replace the one at hand
            self.clip = clip
            return Answer(f"{argument}: {clip.seconds:.1f} s. {said}")
        if name == "describe":
            return Answer(self.agent.describe(self._need_clip()))
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

    def _need_clip(self) -> FaceSequence:
        if self.clip is None:
            raise ValueError("there is no clip yet; open one with /open CLIP.npz, or type what the face shall do")
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
