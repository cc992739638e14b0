"""The conversation in OpenAI's form: ``/v1/chat/completions`` and ``/v1/models``.

A request holds the whole conversation; its user lines before the last are said again where they are not remembered. Motion comes
as an attachment of the message (docs/app.md).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from ....common.files import digest
from ...talk.agent import Agent
from ...talk.session import Clip
from .. import rooms
from ..rooms import Room, Rooms, say, watched
from .live import arkit_table, table, value_names

MODEL = "facelm"
SCHEMA = "facelm.motion/1"
_KEPT = 100
"""Conversations that are remembered."""


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "\n".join(str(p.get("text", "")) for p in self.content if p.get("type") in (None, "text"))
        return self.content or ""


class Completion(BaseModel):
    """A request; what OpenAI's has beside this is ignored."""

    model_config = ConfigDict(extra="ignore")
    model: Annotated[str, Field(max_length=100)] = MODEL
    messages: Annotated[list[Message], Field(min_length=1, max_length=200)]
    stream: bool = False
    motion: Literal["none", "arkit52", "head"] = "none"
    """What of the clip at hand comes with the reply."""
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] | None = None


class Conversations:
    """The conversations that requests go on with, by what was said in them."""

    def __init__(self, hub: Rooms) -> None:
        self.hub = hub
        self._known: OrderedDict[str, Room] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, said: list[str]) -> tuple[Room, list[str]]:
        """The conversation after some lines, as far as it is remembered, and the lines that have to be said again."""
        with self._lock:
            for k in range(len(said), 0, -1):
                room = self._known.pop(digest(said[:k]), None)
                if room is not None:
                    return room, said[k:]
        agent = Agent(None, self.hub.model)
        agent.tools.files = False
        return Room("chat", agent.memory.folder, agent), said

    def keep(self, said: list[str], room: Room) -> None:
        """Remember a conversation."""
        with self._lock:
            self._known[digest(said)] = room
            left = [self._known.popitem(last=False)[1] for _ in range(len(self._known) - _KEPT)]
        for old in left:
            old.agent.memory.close()


def router(hub: Rooms) -> APIRouter:
    """The routes."""
    routes, known = APIRouter(prefix="/v1"), Conversations(hub)

    @routes.get("/models")
    def models() -> dict[str, Any]:
        """The one model."""
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "facelm"}]}

    @routes.post("/chat/completions", response_model=None)
    async def completions(asked: Completion) -> dict[str, Any] | StreamingResponse:
        """Reply to the last line of a conversation."""
        said = [m.text for m in asked.messages if m.role == "user"]
        if not said or asked.messages[-1].role != "user" or not said[-1].strip():
            raise ValueError("the last message should be the user's, with some text")
        if any(len(s) > 4000 for s in said):
            raise ValueError("a message has at most 4000 characters")
        id_, made = f"chatcmpl-{uuid.uuid4().hex[:24]}", int(time.time())

        def work(request: rooms.Request) -> dict[str, Any]:
            room, left = known.take(said[:-1])
            request.room = room
            for line in left:
                with watched(request) as agent:
                    agent.say(line)
            out = say(said[-1])(request)
            here = room.agent.memory.current
            out["motion"] = motion(here, asked.motion, hub) if here is not None and asked.motion != "none" else None
            known.keep(said, room)
            return out

        base = {"id": id_, "created": made, "model": MODEL}
        if asked.stream:
            return StreamingResponse(_streamed(hub, work, base), media_type="text/event-stream")
        request = hub.ask(Room("chat", hub.settings.folder, None), work, None, lambda _: None)  # type: ignore[arg-type]
        await request.done.wait()
        if request.reply is None:
            raise ValueError(request.error)
        reply = request.reply
        message = {"role": "assistant", "content": reply["answer"], **_extra(reply)}
        words = sum(len(s.split()) for s in said)
        usage = {"prompt_tokens": words, "completion_tokens": len(reply["answer"].split())}
        return {**base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {**usage, "total_tokens": sum(usage.values())}}
    return routes


def _extra(reply: dict[str, Any]) -> dict[str, Any]:
    """What a message has beside its words."""
    return {"facelm": {k: reply[k] for k in ("calls", "value", "query", "check", "edits", "takes", "refused", "clip")},
            **({"motion": reply["motion"]} if reply.get("motion") else {})}


async def _streamed(hub: Rooms, work: rooms.Work, base: dict[str, Any]) -> AsyncIterator[str]:
    events: asyncio.Queue[rooms.Event] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def emit(event: rooms.Event) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    request = hub.ask(Room("chat", hub.settings.folder, None), work, None,  # type: ignore[arg-type]
                      emit)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        return "data: " + json.dumps({**base, "object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}]}) + "\n\n"

    try:
        yield chunk({"role": "assistant", "content": ""})
        while True:
            event = await events.get()
            if isinstance(event, bytes):
                continue
            if event["type"] == "words":
                yield chunk({"content": event["text"]})
            elif event["type"] == "reply":
                yield chunk(_extra(event["reply"]), "stop")
                break
            elif event["type"] in ("error", "cancelled"):
                said = {"message": event.get("error", "taken back"), "type": "invalid_request"}
                yield "data: " + json.dumps({"error": said}) + "\n\n"
                break
        yield "data: [DONE]\n\n"
    finally:
        request.stop.set()


def motion(clip: Clip, form: Literal["arkit52", "head"], hub: Rooms) -> dict[str, Any]:
    """A clip's frames as JSON: shapes of ARKit and the head's angles, or the head's own parameters."""
    head = hub.model.head
    seq = clip.sequence()
    rows = arkit_table(seq, head) if form == "arkit52" else table(seq)
    return {"schema": SCHEMA, "format": form, "fps": seq.fps, "names": value_names(form, head),
            "frames": [[round(float(v), 4) for v in row] for row in rows]}

