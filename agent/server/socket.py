"""The socket between a page and its session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from ...common.text import one_line
from . import rooms
from .rooms import Rooms

_LONGEST = 64_000
"""Characters of a message."""
_BEHIND = 4000
"""Messages that may wait for a slow client before it is let go."""


CallWork = Callable[[str, dict[str, Any], str], rooms.Work]


async def serve_socket(websocket: WebSocket, name: str, hub: Rooms, call: CallWork) -> None:
    """Talk with one page until it leaves."""
    await websocket.accept()
    try:
        room = hub.room(name)
    except (LookupError, ValueError, RuntimeError) as err:
        await websocket.send_json({"type": "error", "id": None, "error": one_line(err)})
        await websocket.close(4404, "no such session")
        return
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[rooms.Event]()

    def emit(event: rooms.Event) -> None:
        loop.call_soon_threadsafe(waiting.put_nowait, event)

    room.listeners.add(emit)
    emit({"type": "session", "session": room.to_dict()})
    sender = asyncio.create_task(_send(websocket, waiting))
    try:
        while True:
            text = await websocket.receive_text()
            try:
                _take(text, room, hub, call)
            except (ValueError, RuntimeError, TypeError) as err:
                asked = _loaded(text)
                emit({"type": "error", "id": asked.get("id") if isinstance(asked, dict) else None,
                      "error": one_line(err, 300)})
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        room.listeners.discard(emit)
        sender.cancel()


async def _send(websocket: WebSocket, waiting: asyncio.Queue[rooms.Event]) -> None:
    while True:
        event = await waiting.get()
        if waiting.qsize() > _BEHIND:
            await websocket.close(4408, "too slow")
            return
        if isinstance(event, bytes):
            await websocket.send_bytes(event)
        else:
            await websocket.send_text(json.dumps(event))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _take(text: str, room: rooms.Room, hub: Rooms, call: CallWork) -> None:
    """Do what a message asks for.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a message has at most {_LONGEST} characters")
    asked = _loaded(text)
    if not isinstance(asked, dict) or not isinstance(asked.get("id"), str) or len(asked["id"]) > 80:
        raise ValueError('a message is a JSON object with "do" and "id"')
    match asked.get("do"):
        case "say":
            line = asked.get("text")
            if not isinstance(line, str) or not line.strip() or len(line) > 4000:
                raise ValueError("say what the face should do, in up to 4000 characters")
            hub.ask(room, rooms.say(line), asked["id"])
        case "call":
            arguments = asked.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise ValueError("arguments are a JSON object")
            hub.ask(room, call(str(asked.get("tool")), arguments, str(asked.get("said") or "")[:4000]), asked["id"])
        case "cancel":
            hub.cancel(room, asked["id"])
        case other:
            raise ValueError(f'"do" is {str(other)[:40]!r}; allowed: say, call, cancel')
