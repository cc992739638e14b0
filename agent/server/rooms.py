"""Open sessions and their requests, and every listener hears of them.

A session's requests are done one after another; those of several sessions side by side, so that the language model decodes what
they ask for together (``llm/decode.py``). Files are read in a lane of their own, so that nobody waits for somebody's video.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.limited import give_back
from ...common.text import one_line
from ...face.clip.sequence import FaceSequence
from ...face.facs.script_text import write_script
from ...face.head.model import HeadModel
from ..pipeline import FaceLM
from ..talk.agent import Agent, Reply
from ..talk.session import FILE, Clip, Session, sizes
from ..talk.tools import Call
from . import intake
from .lanes import document, frames, packed
from .settings import Settings

log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_CHUNK = 25
"""Motion frames in a message."""
_TIDY = 20.0
"""Seconds between two times that memory is given back."""
_JOBS = 200
"""Uploads whose outcome is kept to be asked for."""


class Unknown(LookupError):
    """There is no such session, clip or job."""


class Busy(RuntimeError):
    """Too many requests wait."""


class Cancelled(Exception):
    """A request that was taken back."""


Event = dict[str, Any] | bytes


@dataclass
class Request:
    """Something to do in a session, and where its events go.

    Attributes:
        id: given by the client, or a number of its own.
        room: the session.
        work: what to do, in a worker thread; returns the reply's plain values.
        emit: receives its events: a dictionary, or bytes of motion.
        lane: what it waits for: talk, or files.
    """

    id: str
    room: Room
    work: Work
    emit: Callable[[Event], None]
    lane: str = "talk"
    stop: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reply: dict[str, Any] | None = None
    error: str = ""
    state: str = "waiting"
    progress: tuple[int, int, str] = (0, 0, "")

    def step(self, done: int, of: int, stage: str = "") -> None:
        """Progress of the work; stops it when it was taken back."""
        if self.stop.is_set():
            raise Cancelled
        self.progress = (done, of, stage)
        self.emit({"type": "progress", "id": self.id, "what": stage or "performing", "done": done, "of": of})

    def to_dict(self) -> dict[str, Any]:
        """The request as a job."""
        done, of, what = self.progress
        return {"state": self.state, "done": done, "of": of, "what": what, **({"reply": self.reply} if self.reply else {}),
                **({"error": self.error} if self.error else {})}


Work = Callable[[Request], dict[str, Any]]


@dataclass
class Room:
    """An open session."""

    name: str
    folder: Path
    agent: Agent
    worn: HeadModel | None = None
    listeners: set[Callable[[Event], None]] = field(default_factory=set)
    used: float = field(default_factory=time.monotonic)

    def clip(self, id_: int) -> Clip:
        """A clip's version by its id.

        Raises:
            Unknown: there is none.
        """
        if (clip := self.agent.memory.find(id_)) is None:
            raise Unknown(f"there is no clip {id_} in the session {self.name}")
        return clip

    def to_dict(self) -> dict[str, Any]:
        """The session for a page."""
        memory = self.agent.memory
        here = memory.current
        turns = [{"said": t.said, "reply": t.reply, "calls": t.calls, "clip": t.clip} for t in memory.turns]
        return {"name": self.name, "turns": turns, "clips": [_clip(c) for c in memory.clips],
                "current": here.id if here else None, "can_undo": memory.can_step(True), "can_redo": memory.can_step(False)}

    def tell(self, event: Event) -> None:
        """Send an event to all who listen."""
        for listener in list(self.listeners):
            listener(event)


def _clip(clip: Clip) -> dict[str, Any]:
    frames, fps = clip.extent
    return {"id": clip.id, "number": clip.number, "version": clip.version, "parent": clip.parent, "name": clip.name,
            "how": clip.how, "said": Path(clip.said).name if clip.how == "opened" else clip.said,
            "seconds": round(frames / fps, 3), "fps": fps, "frames": frames, "shots": len(clip.files),
            "script": write_script(clip.script) if clip.script is not None else None}


def reply_dict(reply: Reply) -> dict[str, Any]:
    """A reply for a page."""
    clip = None if reply.clip is None else {"id": reply.clip.id, "number": reply.clip.number, "version": reply.clip.version,
                                            "name": reply.clip.name}
    return {**reply.to_dict(), "clip": clip, "check": [{"sentence": s, "ok": False} for s in reply.check]}


class Rooms:
    """The sessions of a server, and the workers that serve them."""

    def __init__(self, settings: Settings, model: Callable[[], FaceLM] = FaceLM.from_pretrained,
                 worn: HeadModel | None = None) -> None:
        self.settings, self._load, self.worn = settings, model, worn
        self._rooms: dict[str, Room] = {}
        self._model: FaceLM | None = None
        self._waiting: list[Request] = []
        self.jobs: dict[str, Request] = {}
        self._numbers = itertools.count(1)
        self._lanes = {"talk": settings.lanes, "files": 1}
        self._pool = ThreadPoolExecutor(sum(self._lanes.values()), "facelm")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.started = time.time()
        self.counts: dict[str, float] = {"requests": 0, "errors": 0, "cancelled": 0, "seconds": 0.0}

    # -- life ---------------------------------------------------------------------------
    async def start(self) -> None:
        """Begin to work; the model is loaded meanwhile."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        intake.sweep()
        await asyncio.get_running_loop().run_in_executor(self._pool, self._warm)
        self._tidier = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        """Give memory back while requests are done: what they leave lies between what the next ones take, and adds up."""
        done = 0.0
        while True:
            await asyncio.sleep(_TIDY)
            if self.counts["requests"] != done:
                done = self.counts["requests"]
                await asyncio.to_thread(give_back)

    def _warm(self) -> None:
        lm = self.model
        lm.read("She smiles.")
        document(self.shown)

    @property
    def shown(self) -> HeadModel:
        """The head that pages show: the avatar, or the model's own."""
        return self.worn or self.model.head

    @property
    def model(self) -> FaceLM:
        """The one model that all sessions share."""
        if self._model is None:
            self._model = self._load()
        return self._model

    async def close(self) -> None:
        """Finish what is being done, refuse what waits, and close all sessions."""
        self._closing = True
        self._tidier.cancel()
        for request in self._waiting:
            request.stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown()
        for room in self._rooms.values():
            room.agent.memory.close()

    @property
    def waiting(self) -> int:
        """How many requests wait or are worked on."""
        return len(self._waiting)

    @property
    def open(self) -> int:
        """How many sessions are open."""
        return len(self._rooms)

    # -- sessions ------------------------------------------------------------------------
    def names(self) -> list[dict[str, Any]]:
        """All sessions on disk, the newest first."""
        out = []
        for file in sorted(self.settings.folder.glob(f"*/{FILE}"), key=lambda f: -f.stat().st_mtime):
            name = file.parent.name
            room = self._rooms.get(name)
            memory = room.agent.memory if room else None
            turns, clips = (len(memory.turns), len(memory.clips)) if memory else sizes(file.parent) or (None, None)
            out.append({"name": name, "changed": file.stat().st_mtime, "turns": turns, "clips": clips})
        return out

    def room(self, name: str | None, make: bool = False) -> Room:
        """An open session; one on disk is opened.

        Raises:
            Unknown: there is none of that name.
            ValueError: a name that cannot be one, or a damaged session.
        """
        if name is None:
            taken = {f.name for f in self.settings.folder.iterdir()}
            name = next(f"talk-{k}" for k in itertools.count(1) if f"talk-{k}" not in taken)
        if not _NAME.fullmatch(name):
            raise ValueError(f"a session's name has up to 40 letters, digits, dashes and underscores; {name[:60]!r} does not fit")
        if name not in self._rooms:
            folder = self.settings.folder / name
            if not make and not (folder / FILE).is_file():
                raise Unknown(f"there is no session {name}")
            if len(self._rooms) >= self.settings.sessions:
                self._leave_oldest()
            memory = Session(folder)
            agent = Agent(memory, self.model)
            agent.tools.files = False
            self._rooms[name] = Room(name, folder, agent, self.worn)
        room = self._rooms[name]
        room.used = time.monotonic()
        return room

    def _leave_oldest(self) -> None:
        free = [r for r in self._rooms.values() if not r.listeners and not any(w.room is r for w in self._waiting)]
        if not free:
            raise Busy(f"{len(self._rooms)} sessions are open already; close one")
        oldest = min(free, key=lambda r: r.used)
        oldest.agent.memory.close()
        del self._rooms[oldest.name]

    def forget(self, name: str) -> None:
        """Delete a session that was only begun."""
        if (room := self._rooms.pop(name, None)) is not None:
            room.agent.memory.close()
        shutil.rmtree(self.settings.folder / name, ignore_errors=True)

    # -- requests -------------------------------------------------------------------------
    def ask(self, room: Room, work: Work, id_: str | None = None, emit: Callable[[Event], None] | None = None,
            lane: str = "talk") -> Request:
        """Begin a request as soon as its session and its lane are free.

        Raises:
            Busy: too many wait.
        """
        if len(self._waiting) >= self.settings.waiting:
            raise Busy(f"{len(self._waiting)} requests wait already; try again in a moment")
        request = Request(id_ or f"job-{next(self._numbers)}", room, work, emit or room.tell, lane)
        ahead = sum(r.room is room or r.lane == lane and r.state == "waiting" for r in self._waiting)
        self._waiting.append(request)
        self._begin()
        if request.state == "waiting":
            request.emit({"type": "queued", "id": request.id, "ahead": ahead})
        if lane == "files":  # whose sender does not wait for the reply
            self.jobs[request.id] = request
            while len(self.jobs) > _JOBS:
                self.jobs.pop(next(iter(self.jobs)))
        return request

    def cancel(self, room: Room, id_: str) -> bool:
        """Take a request of a session back: one that waits at once, one that is worked on at its next step."""
        found = [r for r in self._waiting if r.room is room and r.id == id_]
        for request in found:
            request.stop.set()
            if request.state == "waiting":
                self._taken_back(request)
                self._ended(request)
        return bool(found)

    def _begin(self) -> None:
        """Begin what can begin: the first of each session, while its lane has room."""
        if self._closing:
            return
        running = [r for r in self._waiting if r.state != "waiting"]
        busy, free = {id(r.room) for r in running}, {n: k - sum(r.lane == n for r in running) for n, k in self._lanes.items()}
        for request in self._waiting:
            if request.state != "waiting":
                continue
            if id(request.room) not in busy and free[request.lane] > 0:
                request.state, free[request.lane] = "running", free[request.lane] - 1
                task = asyncio.get_running_loop().create_task(self._do(request))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            busy.add(id(request.room))  # what comes later in a session waits

    async def _do(self, request: Request) -> None:
        loop, began = asyncio.get_running_loop(), time.monotonic()
        try:
            if request.stop.is_set():
                raise Cancelled
            request.emit({"type": "started", "id": request.id})
            request.reply = await loop.run_in_executor(self._pool, request.work, request)
            request.state = "done"
            request.emit({"type": "session", "session": request.room.to_dict()})
            for piece in _pieces(str(request.reply.get("answer", ""))):
                request.emit({"type": "words", "id": request.id, "text": piece})
            request.emit({"type": "reply", "id": request.id, "reply": request.reply})
        except Cancelled:
            self._taken_back(request)
        except (ValueError, LookupError, OSError) as err:
            self._failed(request, one_line(err) or type(err).__name__)
        except Exception:  # a client sees no traceback
            log.exception("a request failed")
            self._failed(request, "something went wrong in the server; its log says what")
        finally:
            self.counts["seconds"] += time.monotonic() - began
            self._ended(request)
            self._begin()

    def _taken_back(self, request: Request) -> None:
        request.state, request.error = "cancelled", "taken back"
        self.counts["cancelled"] += 1
        request.emit({"type": "cancelled", "id": request.id})

    def _ended(self, request: Request) -> None:
        self.counts["requests"] += 1
        self._waiting.remove(request)
        request.done.set()

    def _failed(self, request: Request, why: str) -> None:
        request.state, request.error = "failed", why[:500]
        self.counts["errors"] += 1
        request.emit({"type": "error", "id": request.id, "error": request.error})


# -- what requests do ----------------------------------------------------------------------------
@contextmanager
def watched(request: Request) -> Iterator[Agent]:
    """The agent of a request's session, which tells of its progress and of motion as it is made."""
    agent, tools = request.room.agent, request.room.agent.tools
    head = request.room.worn or tools.agent.head
    sent = 0
    number = next(_streams)

    def preview(piece: FaceSequence) -> None:
        nonlocal sent
        if request.stop.is_set():
            raise Cancelled
        if not sent:
            request.emit({"type": "motion", "id": request.id, "stream": number, "fps": piece.fps, "frames": None})
        made = frames(head, piece)
        for low in range(0, len(made), _CHUNK):
            part = made[low:low + _CHUNK]
            request.emit(packed(part, number, sent))
            sent += len(part)

    tools.preview, tools.progress = preview, request.step
    try:
        yield agent
    finally:
        tools.preview, tools.progress = None, _quiet
        if sent:
            request.emit({"type": "motion_end", "id": request.id, "stream": number, "frames": sent,
                          "final": not tools.agent.performer.able})


def say(text: str) -> Work:
    """Work that answers a line."""
    def work(request: Request) -> dict[str, Any]:
        with watched(request) as agent:
            return reply_dict(agent.say(text))
    return work


def call(tool: str, arguments: dict[str, Any], said: str = "") -> Work:
    """Work that calls a tool."""
    def work(request: Request) -> dict[str, Any]:
        with watched(request) as agent:
            return reply_dict(agent.call(Call(tool, arguments), said))
    return work


_streams = itertools.count(1)


def _quiet(done: int, of: int, stage: str = "", /) -> None:
    """Report nothing."""


def _pieces(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)
