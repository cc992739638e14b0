"""A conversation: lines in, replies out, with a memory that outlives the program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.progress import Progress, silent
from ...common.text import utf8
from ..media import Loaded
from ..pipeline import FaceLM
from ..requests import Sampling
from .planning.planned import calls
from .session import Clip, Session
from .tools import Call, Said, Toolbox

Planner = Callable[[str, Toolbox], Iterable[Call]]
"""What turns a line into calls: the rules, or a language model with tool calling."""


@dataclass(frozen=True)
class Reply:
    """The answer to a line.

    Attributes:
        text: for people.
        calls: the tools that were called, in order.
        clip: the clip at hand afterwards.
        value: of an answer, what was computed; of several, the last one.
        query: what was asked, in plain values.
        check: what of a performance is not as asked for.
        edits: operations of an edit.
        takes: ids of the versions to choose from, where several takes were made.
        refused: whether something could not be done; nothing was changed then.
    """

    text: str
    calls: tuple[Call, ...] = ()
    clip: Clip | None = None
    value: Any = None
    query: dict[str, Any] | None = None
    check: tuple[str, ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    takes: tuple[int, ...] = ()
    refused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        clip = None if self.clip is None else {"number": self.clip.number, "version": self.clip.version, "name": self.clip.name,
                                               "file": str(self.clip.path)}
        return {"answer": self.text, "calls": [c.to_dict() for c in self.calls], "clip": clip, "value": self.value,
                "query": self.query, "check": list(self.check), "edits": list(self.edits),
                "takes": list(self.takes), "refused": self.refused}


@dataclass
class Agent:
    """Talk with a face.

    Example:
        >>> agent = Agent(session="out/monday")          # doctest: +SKIP
        >>> agent.say("She smiles, then nods twice.").text
        >>> agent.say("Make the smile stronger.").edits
        >>> agent.say("How often does she nod?").value
    """

    session: Session | str | os.PathLike[str] | None = None
    """The conversation's memory or its folder, which is gone on with if there is one; None is one that nobody keeps."""
    model: FaceLM | None = None
    sampling: Sampling = Sampling()
    seconds: float | None = None
    planner: Planner | None = None
    """None: the shipped model, and the rules of ``dialogue.yaml`` for what it does not plan."""
    progress: Progress = silent
    tools: Toolbox = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.session, Session):
            self.session = Session(None if self.session is None else Path(self.session))
        self.tools = Toolbox(self.model or FaceLM.from_pretrained(), self.session, self.sampling, self.seconds, self.progress)

    @property
    def memory(self) -> Session:
        """The conversation's memory."""
        assert isinstance(self.session, Session)
        return self.session

    @property
    def clips(self) -> list[Clip]:
        """All clips in all versions."""
        return self.memory.clips

    def say(self, text: str) -> Reply:
        """Answer one line; what is answered is on disk.

        Raises:
            ValueError: an empty line.
        """
        text = utf8(text)
        if not text.strip():
            raise ValueError("the line is empty; say what the face should do, or ask about the clip")
        self.tools.seconds = self.seconds
        self.tools.progress(0, 1, "reading")
        with self.memory.turn():
            reply = self._answered(text)
            self.memory.remember(text, reply.text, [c.to_dict() for c in reply.calls])
        return reply

    def call(self, call: Call, said: str = "") -> Reply:
        """Call one tool, as a turn of its own.

        Raises:
            ValueError: what the tool refuses; nothing is changed then.
        """
        self.tools.seconds = self.seconds
        with self.memory.turn():
            reply = self._reply([(call, call.run(self.tools))])
            self.memory.remember(said or call.tool, reply.text, [call.to_dict()])
        return reply

    def open(self, path: str, loaded: Loaded) -> Reply:
        """Take up a file that has been read already."""
        call = Call("open", {"path": path})
        with self.memory.turn():
            reply = self._reply([(call, self.tools.opened(path, loaded))])
            self.memory.remember(f"/open {path}", reply.text, [call.to_dict()])
        return reply

    def _answered(self, text: str) -> Reply:
        done: list[tuple[Call, Said]] = []
        self.tools.said.clear()
        try:
            for call in (self.planner or calls)(text, self.tools):
                self.tools.said.append(call.run(self.tools))
                done.append((call, self.tools.said[-1]))
        except (ValueError, OSError) as err:
            return self._reply(done, str(err))
        return self._reply(done)

    def _reply(self, done: list[tuple[Call, Said]], refusal: str = "") -> Reply:
        texts = [s.text for _, s in done] + [refusal] * bool(refusal)
        asked = [s for _, s in done if s.query is not None]
        valued = [s for _, s in done if s.value is not None]
        value = [s.value for s in asked] if len(asked) > 1 else valued[-1].value if valued else None
        return Reply("\n".join(texts), tuple(c for c, _ in done), self.memory.current, value,
                     asked[-1].query.to_dict() if asked and asked[-1].query else None,
                     tuple(t for _, s in done for t in s.check), tuple(e for _, s in done for e in s.edits),
                     tuple(i for _, s in done for i in s.takes), bool(refusal))
