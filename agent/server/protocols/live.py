"""A face that is driven while it is alive: wishes in, frames out at a fixed rate, without end.

Between wishes it idles. A wish becomes a short clip of the procedural animator, which begins at once and lies over the idle face;
a later one takes over from it smoothly, and everything returns to rest by itself.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect

from ....common.text import one_line
from ....data_gen.performer.layout import lay_out
from ....data_gen.reading.rules import read_rules
from ....data_gen.text.quantities import find_quantities
from ....face.clip.channels import ARKIT_52
from ....face.clip.sequence import FaceSequence
from ....face.clip.spontaneous import add_idle
from ....face.facs.script import Cue, Script
from ....face.facs.vocabulary import DIRECTIONS, EMOTION, FEELING, NAMES
from ....face.head.model import HeadModel
from ....face.io.convert.arkit import weights
from ...motion.windows import Performer
from ..lanes import JOINTS, rig
from ..lanes import frames as rig_frames

Format = Literal["arkit52", "head", "rig"]
ARKIT_NAMES = (*ARKIT_52, "headPitch", "headYaw", "headRoll")
FIELDS = ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")
_BLOCK = 20.0
"""Seconds of idle motion that are made at a time."""
_FADE = 0.35
"""Seconds in which a wish takes over from another, and one block of idle motion from the next."""
_AMOUNT, _MOST = 0.1, 2.0
"""Seconds in which a change of the amount or the mixture comes about, for the most part; and the most that the amount may be."""
_SURE = 0.9
"""Share of a wish's words that the rules must explain for it to be performed without the model."""
_SECONDS = 2.0
HEAD = struct.Struct("<II")


@dataclass
class _Layer:
    """Motion over the idle face: how far it is from rest, in frames, from when on, and since when it fades."""

    frames: np.ndarray
    first: int
    fades: int | None = None


class LiveFace:
    """The frames of a face that is driven.

    Attributes:
        head: whose face.
        fps: frames a second.
        frame: index of the next frame.
        amount: factor on what is wished for; a change of it is smooth.
        shown: the head of the format ``rig``: its own, or an avatar made from it.
    """

    def __init__(self, performer: Performer, fps: float = 30.0, seed: int = 0, worn: HeadModel | None = None) -> None:
        self.performer, self.head, self.fps, self.seed = performer, performer.head, fps, seed
        self.shown = worn or performer.head
        self.frame = 0
        self.amount = self._amount = 1.0
        self._held: dict[str, np.ndarray] = {}
        self._layers: list[_Layer] = []
        self._blocks: dict[int, np.ndarray] = {}
        rest = FaceSequence.rest(1, self.head.ref, n_expr=self.head.n_expr, n_shape=self.head.n_shape)
        self._rest = table(rest)[0]
        self._worn = self._wears = np.zeros_like(self._rest)

    def names(self, format_: Format) -> list[str]:
        """What the values of a frame are."""
        return value_names(format_, self.head)

    @property
    def free(self) -> int:
        """The frame at which all that was wished for is over."""
        return max([self.frame, *(layer.first + len(layer.frames) for layer in self._layers if layer.fades is None)])

    def wish(self, script: Script, after: bool = False) -> int:
        """Begin with something: at once, in place of what is going on, or after it; the frame at which it begins.

        Raises:
            ValueError: it cannot be done.
        """
        cues = tuple(c if k or c.start is not None else Cue(**{**vars(c), "start": 0.0}) for k, c in enumerate(script.cues))
        schedule = lay_out(Script(cues, script.seconds, script.never, script.still), self.seed + self.frame)
        made = self.performer.direct(schedule)
        made = made if made.fps == self.fps else made.resample(self.fps)
        if not after:
            self.rest()
        first = self.free
        self._layers.append(_Layer(table(made) - self._rest, first))
        return first

    def rest(self) -> None:
        """Let what is going on fade."""
        for layer in self._layers:
            layer.fades = self.frame if layer.fades is None else layer.fades
        self._layers = [layer for layer in self._layers if layer.first < self.frame]

    def mix(self, shares: dict[str, float]) -> None:
        """Wear a mixture of emotions and feelings until another is asked for; wishes come on top of it.

        Args:
            shares: of each, 0 to 1 of its full strength; an empty mixture is the resting face.
        """
        for name in shares.keys() - self._held.keys():
            cue = Cue(name, start=0.0, strength=1.0, seconds=_SECONDS)
            held = table(self.performer.direct(lay_out(Script((cue,)), self.seed)))
            self._held[name] = held[len(held) // 2] - self._rest
        self._wears = sum((share * self._held[name] for name, share in shares.items()), np.zeros_like(self._rest))

    def prepare(self) -> None:
        """Make the idle motion of the next seconds."""
        size = round(_BLOCK * self.fps)
        for block in (self.frame // size, (self.frame + size // 2) // size):
            if block not in self._blocks:
                rest = FaceSequence.rest(size + self._fade, self.head.ref, fps=self.fps, n_expr=self.head.n_expr,
                                         n_shape=self.head.n_shape)
                self._blocks[block] = table(add_idle(rest, self.seed + 7919 * block))
        for old in [b for b in self._blocks if b < self.frame // size - 1]:
            del self._blocks[old]

    @property
    def _fade(self) -> int:
        return max(1, round(_FADE * self.fps))

    def next(self) -> np.ndarray:
        """The next frame: the head's parameters, ``(len(names("head")),)`` float32."""
        self.prepare()
        size, n = round(_BLOCK * self.fps), self.frame
        block, at = divmod(n, size)
        value = self._blocks[block][at]
        if at < self._fade and block - 1 in self._blocks:
            share = _ease(at / self._fade)
            value = share * value + (1 - share) * self._blocks[block - 1][size + at]
        kept = []
        step = min(1.0, 1 / (_AMOUNT * self.fps))
        self._amount += (self.amount - self._amount) * step
        self._worn = self._worn + (self._wears - self._worn) * step
        value = value + self._worn
        for layer in self._layers:
            k = n - layer.first
            weight = 1.0 if layer.fades is None else 1.0 - _ease((n - layer.fades) / self._fade)
            if k < len(layer.frames) and weight > 0:
                if k >= 0:
                    value = value + self._amount * weight * layer.frames[k]
                kept.append(layer)
        self._layers = kept
        self.frame += 1
        value = value.astype(np.float32)
        value[:self.head.n_expr] = np.clip(value[:self.head.n_expr], 0.0, 1.0)
        return value

    def as_(self, format_: Format, value: np.ndarray) -> np.ndarray:
        """A frame in a client's format, ``(len(names(format_)),)`` float32."""
        if format_ == "head":
            return value
        seq = _sequence(value[None], self.head, self.fps)
        if format_ == "rig":
            return rig_frames(self.shown, seq)[0]
        return arkit_table(seq, self.head)[0].astype(np.float32)


def _ease(share: float) -> float:
    return float(0.5 - 0.5 * np.cos(np.pi * min(max(share, 0.0), 1.0)))


def value_names(format_: Format, head: HeadModel) -> list[str]:
    """What the values of a frame are in a format, wherever one is sent."""
    if format_ == "rig":
        parts = [(j, w, a) for w, axes in (("turn", "xyzw"), ("place", "xyz")) for j in JOINTS for a in axes]
        return [*rig(head).names, *(f"{j}_{w}_{a}" for j, w, a in parts)]
    if format_ == "arkit52":
        return list(ARKIT_NAMES)
    named = {"expr": list(head.expr_names), "eyes_pose": [f"eyes_pose_{side}_{a}" for side in ("left", "right") for a in "xyz"]}
    return [n for f in FIELDS for n in named.get(f, [f"{f}_{a}" for a in "xyz"])]


def arkit_table(seq: FaceSequence, head: HeadModel) -> np.ndarray:
    """What ``ARKIT_NAMES`` say of each frame, ``(T, 55)``; the head's turns in radians."""
    return np.concatenate([weights(seq, head), seq.rotation + seq.neck_pose], 1)


def table(seq: FaceSequence) -> np.ndarray:
    """The parameters ``FIELDS`` of each frame side by side."""
    return np.concatenate([np.asarray(getattr(seq, f), np.float64) for f in FIELDS], 1)


def _sequence(values: np.ndarray, head: HeadModel, fps: float) -> FaceSequence:
    out, at = {}, 0
    for field in FIELDS:
        width = head.n_expr if field == "expr" else 6 if field == "eyes_pose" else 3
        out[field] = values[:, at:at + width].astype(np.float32)
        at += width
    rest = FaceSequence.rest(len(values), head.ref, fps=fps, n_expr=head.n_expr, n_shape=head.n_shape)
    return rest.replace(**out)


def wished(asked: dict[str, Any], read: Callable[[str], Script]) -> Script | None:
    """What a message asks for: ``words``, or ``do`` (or ``emotion``) with ``strength``, ``seconds``, ``side``, ``count``.

    Of any face ``after`` (true) lets what goes on end first, ``amount`` (0 to 2) is the factor on all that is wished for, and
    ``mix`` ({NAME: share}) what it wears all the time.

    Returns:
        The script; None where the face should rest.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    if asked.get("rest"):
        return None
    if isinstance(words := asked.get("words"), str) and words.strip():
        if len(words) > 2000:
            raise ValueError("words has at most 2000 characters")
        return _ruled(words) or read(words)
    name = asked.get("do", asked.get("emotion"))
    if not isinstance(name, str):
        raise ValueError('say {"words": "..."}, {"do": NAME, "strength": 0.7, "seconds": 2} or {"rest": true}')
    plain = name.strip().lower().replace("_", " ")
    if plain == "neutral":
        return None
    known = plain.replace(" ", "_")
    values = {k: asked[k] for k in ("strength", "side", "count") if asked.get(k) is not None}
    ruled = _ruled(plain) if known not in NAMES or known in DIRECTIONS and "side" not in values else None
    try:
        cues = ruled.cues if ruled is not None else (Cue(known, **values),)
        return Script(tuple(
            replace(c, start=0.0, **values, seconds=asked.get("seconds", None if (values.get("count") or c.count) else _SECONDS))
            for c in cues))
    except (TypeError, ValueError) as err:
        raise ValueError(one_line(err, 300)) from None


def _amount(value: Any) -> float:
    """A message's amount.

    Raises:
        ValueError: no number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST:
        raise ValueError(f"amount is {str(value)[:20]!r}; allowed: 0 to {_MOST:g} (1 is as the words say)")
    return float(value)


def _mixture(value: Any) -> dict[str, float]:
    """A message's mixture.

    Raises:
        ValueError: no mapping, an unknown name, or a share that is no number or out of range.
    """
    if not isinstance(value, dict):
        raise ValueError('mix is a mapping, e.g. {"happiness": 0.6, "sadness": 0.3}; {} for none')
    if unknown := [name for name in value if name not in EMOTION and name not in FEELING]:
        raise ValueError(f"mix names {unknown[0][:40]!r}; allowed: {', '.join(EMOTION)}, and the feelings of docs/actions.md")
    for name, share in value.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"mix of {name} is {str(share)[:20]!r}; allowed: 0 to 1")
    return {name: float(share) for name, share in value.items() if share}


def _ruled(words: str) -> Script | None:
    """What the rules read, where they explain nearly all of it."""
    ruled = read_rules(find_quantities(words))
    return ruled.script if ruled is not None and ruled.script.cues and ruled.explained >= _SURE else None


class Faces:
    """The faces that are driven: each makes frames as long as somebody sees it.

    Args:
        performer: gives what performs wishes.
        read: words -> script, by the language model.
        worn: an avatar that is shown in the place of the performer's head.
    """

    def __init__(self, performer: Callable[[], Performer], read: Callable[[str], Script], worn: HeadModel | None = None) -> None:
        self.performer, self.read, self.worn = performer, read, worn
        self._shared: dict[str, _Shown] = {}

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one client until it leaves.

        Its query says ``fps`` (10 to 60), ``format`` (arkit52, head or rig), ``text`` (1: frames as JSON), ``frames`` (0: it only
        drives) and ``face``: the name of a face that clients share; whoever comes first says its fps.
        """
        await websocket.accept()
        query = websocket.query_params
        name, form = query.get("face", ""), cast(Format, query.get("format", "arkit52"))
        try:
            fps = float(query.get("fps", "30"))
            if not 10 <= fps <= 60 or form not in get_args(Format) or len(name) > 40:
                raise ValueError
        except ValueError:
            why = (f"fps is {query.get('fps')!r}, format {form[:20]!r}; allowed: 10 to 60, arkit52, head or rig, and up to "
                   "40 characters for a face's name")
            await websocket.send_json({"type": "error", "error": why})
            await websocket.close(4400, "bad request")
            return
        shown = self._shared.get(name) or _Shown(LiveFace(await asyncio.to_thread(self.performer), fps, worn=self.worn))
        if name:
            shown = self._shared.setdefault(name, shown)
        drives = query.get("frames") == "0"
        frames: asyncio.Queue[tuple[int, np.ndarray]] = asyncio.Queue(1 if drives else round(4 * shown.face.fps))
        await websocket.send_json({"type": "live", "fps": shown.face.fps, "format": form, "names": shown.face.names(form)})
        sender = None if drives else asyncio.create_task(_send(websocket, shown.face, frames, form, query.get("text") == "1"))
        shown.join(frames)
        try:
            while True:
                await self._take(websocket, shown.face, await websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if sender is not None:
                sender.cancel()
            if shown.leave(frames):
                self._shared.pop(name, None)

    async def _take(self, websocket: WebSocket, face: LiveFace, text: str) -> None:
        began = face.frame
        try:
            asked = json.loads(text) if len(text) <= 8000 else None
            if not isinstance(asked, dict):
                raise ValueError("a message is a JSON object of up to 8000 characters")
            if "amount" in asked:
                face.amount = _amount(asked["amount"])
            if "mix" in asked:
                await asyncio.to_thread(face.mix, _mixture(asked["mix"]))
            if asked and asked.keys() <= {"amount", "mix"}:
                return
            script = await asyncio.to_thread(wished, asked, self.read)
            first = face.frame
            if script is None:
                face.rest()
            else:
                first = await asyncio.to_thread(face.wish, script, asked.get("after") is True)
            await websocket.send_json({"type": "began", "id": asked.get("id"), "asked_at": began, "frame": first})
        except (ValueError, LookupError) as err:
            await websocket.send_json({"type": "error", "error": one_line(err, 300)})


class _Shown:
    """A face, who sees it, and what makes its frames at their times."""

    def __init__(self, face: LiveFace) -> None:
        self.face = face
        self._seen_by: set[asyncio.Queue[tuple[int, np.ndarray]]] = set()
        self._maker: asyncio.Task[None] | None = None

    def join(self, frames: asyncio.Queue[tuple[int, np.ndarray]]) -> None:
        """Let a client see it."""
        self._seen_by.add(frames)
        self._maker = self._maker or asyncio.create_task(self._make())

    def leave(self, frames: asyncio.Queue[tuple[int, np.ndarray]]) -> bool:
        """A client leaves; whether it was the last."""
        self._seen_by.discard(frames)
        if not self._seen_by and self._maker is not None:
            self._maker.cancel()
        return not self._seen_by

    async def _make(self) -> None:
        ahead, size = time.monotonic(), round(_BLOCK * self.face.fps)
        await asyncio.to_thread(self.face.prepare)
        while True:
            if self.face.frame % size == size // 2:
                await asyncio.to_thread(self.face.prepare)
            made = self.face.frame, self.face.next()
            for queue in self._seen_by:
                if queue.full():
                    queue.get_nowait()  # a slow client misses the oldest
                queue.put_nowait(made)
            ahead = max(ahead + 1 / self.face.fps, time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, ahead - time.monotonic()))


async def _send(websocket: WebSocket, face: LiveFace, frames: asyncio.Queue[tuple[int, np.ndarray]], form: Format,
                text: bool) -> None:
    while True:
        n, value = await frames.get()
        value = face.as_(form, value)
        if text:
            await websocket.send_json({"type": "frame", "frame": n, "values": [round(float(v), 4) for v in value]})
        else:
            await websocket.send_bytes(HEAD.pack(n, len(value)) + value.tobytes())
