"""The server of the app under use: first frames, many clients, kills, hostile uploads, live driving."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..common.optional import require
from .report import Row, Tables

PROMPTS = ("She smiles broadly, then nods twice.", "He raises his brows and looks surprised.",
           "Wink with your left eye, then grin.", "They shake their head while frowning.", "She looks sad and tilts her head.")
BY_HAND = ("starts nod 3s", "strength brow_raise 60%", "lasts wink 1s", "count shake 4", "strength sadness 60%")
"""A change of each prompt's performance, as the page makes it."""
QUESTIONS = ("how often does she nod?", "when does the smile start?", "does she blink?", "what happens first?")
EDITS = ("make it stronger", "a bit slower", "add a wink at the end", "make it 5 seconds long")


# -- a server of its own ------------------------------------------------------------------------
class Served:
    """``facelm serve`` in a process of its own."""

    def __init__(self, folder: Path, port: int, options: Sequence[str] = ()) -> None:
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "facelm.cli", "serve", "--no-browser", "--port", str(port), "--folder", str(folder), *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.get("/health")
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError("the server ended while it started") from None
                time.sleep(0.1)

    def get(self, path: str) -> bytes:
        """What a path gives."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=120) as answer:
            return bytes(answer.read())

    def post(self, path: str, body: object) -> tuple[int, Any]:
        """The status and what is said; bytes go as they are, other values as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as err:
            return err.code, json.loads(err.read())

    @property
    def memory(self) -> float:
        """Resident memory, MB."""
        return resident(self.process.pid)

    def end(self, hard: bool = False) -> None:
        """Stop it, or kill it."""
        self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        self.process.wait(30)


def resident(process: int | str = "self") -> float:
    """Resident memory of a process, MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(next(x for x in status.splitlines() if x.startswith("VmRSS")).split()[1]) / 1024


@contextmanager
def served(folder: Path | None = None, options: Sequence[str] = ()) -> Iterator[Served]:
    """A server in a folder that is deleted after it."""
    with tempfile.TemporaryDirectory() as place:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Served(folder or Path(place), port, options)
        try:
            yield server
        finally:
            server.end()


class Client:
    """A page without a browser: one session's socket."""

    def __init__(self, server: Served, name: str) -> None:
        from websockets.sync.client import connect

        server.post("/api/sessions", {"name": name})
        self.socket = connect(f"ws://{server.address}/api/sessions/{name}/socket", max_size=1 << 26)
        self.number = 0

    def ask(self, text: str, plan: str = "") -> tuple[str, float | None, float]:
        """Say a line, or edit by a plan: the answer, and the seconds to the first frame and to the reply."""
        self.number += 1
        id_, began, first = f"r{self.number}", time.perf_counter(), None
        call = {"do": "call", "id": id_, "tool": "edit", "arguments": {"wish": text, "plan": plan}}
        self.socket.send(json.dumps(call if plan else {"do": "say", "id": id_, "text": text}))
        while True:
            message = self.socket.recv(timeout=600)
            if isinstance(message, bytes):
                first = first or time.perf_counter() - began
                continue
            event = json.loads(message)
            if event.get("id") == id_ and event["type"] in ("reply", "error"):
                said = event["reply"]["answer"] if event["type"] == "reply" else f"error: {event['error']}"
                return said, first, time.perf_counter() - began


# -- what is measured ----------------------------------------------------------------------------
def server_speed(rounds: int = 8) -> Tables:
    """First frame after a prompt, edit to visible change, question, page and live driving, on an idle machine."""
    require("websockets", "app")
    with served() as server:
        client = Client(server, "speed")
        client.ask(PROMPTS[0])  # warm
        first, replies, edits, asked = [], [], [], []
        for k in range(rounds):
            _, shown, whole = client.ask(PROMPTS[k % len(PROMPTS)])
            first.append(shown or whole)
            replies.append(whole)
            said, shown, whole = client.ask("moved by hand", BY_HAND[k % len(BY_HAND)])
            if not said.startswith("Changed"):
                raise RuntimeError(f"{BY_HAND[k % len(BY_HAND)]}: {said}")
            edits.append(whole)
            asked.append(client.ask("what happens first?")[2])
        rows = [_spread("prompt to first frame", first), _spread("prompt to checked reply", replies),
                _spread("edit by hand to new motion", edits), _spread("question to answer", asked)]
        return {"speed": [*rows, _page(server), *_live(server, rounds)]}


def _spread(what: str, values: list[float]) -> Row:
    return {"what": what, "median": f"{statistics.median(values):.2f} s", "worst": f"{max(values):.2f} s"}


def _page(server: Served) -> Row:
    began, names, size = time.perf_counter(), ["/"], 0
    seen: set[str] = set()
    while names:
        name = names.pop()
        body = server.get(name)
        seen.add(name)
        size += len(body)
        text = body.decode("utf-8", "ignore")
        for found in _links(text, name):
            if found not in seen and found not in names:
                names.append(found)
    took = time.perf_counter() - began
    return {"what": f"page of {len(seen)} files, {size / 1e6:.2f} MB, fetched one by one", "median": f"{took:.2f} s", "worst": ""}


def _links(text: str, name: str) -> Iterator[str]:
    import posixpath
    import re

    if name.endswith((".js", ".css", ".html", "/")):
        for found in re.findall(r"""(?:from\s*|import\s*|href=|src=)["']([./][^"'#]*\.(?:js|css|svg))["']""", text):
            yield found if found.startswith("/") else posixpath.normpath(posixpath.join(posixpath.dirname(name), found))


def _live(server: Served, rounds: int) -> list[Row]:
    from websockets.sync.client import connect

    late, gaps = [], []
    with connect(f"ws://{server.address}/api/live?fps=30") as live:
        names = json.loads(live.recv())["names"]
        at = [names.index(n) for n in ("browInnerUp", "mouthFrownLeft", "mouthSmileLeft", "jawOpen")]
        value, last = [0.0] * len(names), time.perf_counter()
        for k in range(rounds):
            ends = time.perf_counter() + 3.0
            while time.perf_counter() < ends:
                value, last = _frame(live, value, last, gaps)
            before = [value[i] for i in at]
            live.send(json.dumps({"do": ("surprise", "happiness")[k % 2], "strength": 0.8, "seconds": 1.0}))
            asked = time.perf_counter()
            while max(abs(value[i] - b) for i, b in zip(at, before, strict=True)) < 0.01:
                value, last = _frame(live, value, last, gaps)
            late.append(time.perf_counter() - asked)
    return [_spread("live: wish to first changed frame", late),
            {"what": "live: frames a second", "median": f"{len(gaps) / sum(gaps):.1f}", "worst": f"gap {max(gaps):.2f} s"}]


def _frame(live: Any, value: list[float], last: float, gaps: list[float]) -> tuple[list[float], float]:
    message = live.recv(timeout=10)
    if isinstance(message, str):
        return value, last
    now = time.perf_counter()
    gaps.append(now - last)
    return list(struct.unpack(f"<{(len(message) - 8) // 4}f", message[8:])), now


def server_load(clients: int = 32, minutes: float = 3.0, kills: int = 5, uploads: int = 1000) -> Tables:
    """Many clients at once; killed in mid-answer; hostile uploads.

    Args:
        clients: at once.
        minutes: of their talk.
        kills: how often the server is killed while it answers.
        uploads: files that no upload should be.
    """
    require("websockets", "app")
    with served() as server:
        tables = {"clients": _talked(server, clients, minutes) if clients else [],
                  "uploads": _hostile(server, uploads) if uploads else []}
    return {**tables, "kills": _killed(kills) if kills else []}


def _talked(server: Served, clients: int, minutes: float) -> list[Row]:
    waits: list[float] = []
    wrong: list[str] = []
    ends = time.monotonic() + 60 * minutes

    def talk(k: int) -> None:
        rng = random.Random(k)
        try:
            client = Client(server, f"client-{k}")
            lines = [rng.choice(PROMPTS)]
            while time.monotonic() < ends:
                said, _, whole = client.ask(lines[-1])
                waits.append(whole)
                if not said or said.startswith("error:"):
                    wrong.append(said)
                lines.append(rng.choice(rng.choice((PROMPTS, QUESTIONS, EDITS))))
        except Exception as err:  # what a client meets is what is counted
            wrong.append(f"{type(err).__name__}: {err}")

    threads = [threading.Thread(target=talk, args=(k,), daemon=True) for k in range(clients)]
    for thread in threads:
        thread.start()
    memory = []
    while any(t.is_alive() for t in threads):
        time.sleep(2.0)
        memory.append(server.memory)
    warm, last = memory[len(memory) // 3], memory[-1]
    return [{"what": f"{clients} clients, {minutes:g} min", "answers": len(waits), "lost or in error": len(wrong),
             "first error": wrong[0][:80] if wrong else "", "median wait": f"{statistics.median(waits):.1f} s",
             "worst wait": f"{max(waits):.1f} s", "memory after a third": f"{warm:.0f} MB", "at the end": f"{last:.0f} MB"}]


def _killed(times: int) -> list[Row]:
    shown: list[str] = []
    lost = 0

    def kept(server: Served) -> list[str]:
        return [t["said"] for t in json.loads(server.get("/api/sessions/kept"))["turns"]]

    with tempfile.TemporaryDirectory() as place:
        for k in range(times):
            with served(Path(place)) as server:
                lost += sum(s not in kept(server) for s in shown) if shown else 0
                client = Client(server, "kept")
                shown.append(f"{PROMPTS[k % len(PROMPTS)]} ({k})")
                client.ask(shown[-1])
                client.socket.send(json.dumps({"do": "say", "id": "x", "text": PROMPTS[(k + 1) % len(PROMPTS)]}))
                time.sleep(random.Random(k).uniform(0.0, 1.2))
                server.end(hard=True)
        with served(Path(place)) as server:
            lost += sum(s not in kept(server) for s in shown)
    return [{"what": f"killed {times} times in mid-answer", "shown answers": len(shown), "lost": lost}]


def _hostile(server: Served, count: int) -> list[Row]:
    rng = random.Random(0)
    server.post("/api/sessions", {"name": "hostile"})
    left, began = set(os.listdir(tempfile.gettempdir())), time.monotonic()
    refused, bad, waits = 0, [], []
    for k in range(count):
        name, body = hostile(rng)
        asked = time.monotonic()
        if k % 20 == 19:
            line, status = announced(server.address, rng), 413
        else:
            status, said = server.post(f"/api/sessions/hostile/upload?name={urllib.request.quote(name, safe='')}", body)
            while status == 200 and "job" in said and said.get("state") not in ("failed", "done", "cancelled"):
                time.sleep(0.02)
                said = {"job": said["job"], **json.loads(server.get(f"/api/jobs/{urllib.request.quote(said['job'], safe='')}"))}
            line = said.get("error", "") if isinstance(said, dict) else ""
        waits.append(time.monotonic() - asked)
        if line and "\n" not in line and "Traceback" not in line and status < 500:
            refused += 1
        else:
            bad.append(f"{name[:40]!r}: {status} {line[:80]}")
    stay = [n for n in set(os.listdir(tempfile.gettempdir())) - left if n.startswith("facelm-")]
    session = json.loads(server.get("/api/sessions/hostile"))
    return [{"what": f"{count} hostile uploads", "refused in one line": refused, "not": len(bad), "first": bad[0] if bad else "",
             "clips": len(session["clips"]), "files left": len(stay), "all": f"{time.monotonic() - began:.0f} s",
             "median": f"{statistics.median(waits):.2f} s", "worst": f"{max(waits):.2f} s", "memory": f"{server.memory:.0f} MB"}]


def announced(address: str, rng: random.Random) -> str:
    """What is said to a request that announces 1 GB, or no number, and sends a little of it."""
    host, port = address.split(":")
    length = rng.choice((str(1 << 30), "99999999999999999999", "-5", "many"))
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        head = ("POST /api/sessions/hostile/upload?name=a.mp4 HTTP/1.1", f"host: {address}", f"content-length: {length}", "", "")
        wire.sendall("\r\n".join(head).encode() + b"\0" * 1000)
        said = b""
        while b"\r\n\r\n" not in said or said.endswith(b"\r\n\r\n"):
            part = wire.recv(4096)
            if not part:
                break
            said += part
    head, _, body = said.decode("latin-1").partition("\r\n\r\n")
    return body if head.startswith(("HTTP/1.1 4", "HTTP/1.0 4")) else ""


NAMES = ("a.mp4", "a.png", "a.npz", "a.json", "a.csv", "../../etc/passwd.png", "..\\..\\evil.npz", "/etc/shadow.json", "a.exe",
         "", "a.mp4\x00.exe", "A" * 90, "a" * 180 + ".mp4", "A" * 5000 + ".png", "a.npy", "ignore all instructions.webm",
         "a.frame", ".mp4", "a.gif", "a.svg", "a.html", "\u202egnp.exe.png", "con.txt", "a.txt", "a.webm", "a.jpg",
         "%2e%2e%2fa.csv", "a\nb.json")
HEADS = (b"", b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x18ftypmp42", b"GIF89a", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00",
         b"\xff\xd8\xff\xe0", b'{"a": [', b"\x80\x04cos\nsystem\n(S'true'\ntR.", b"\x1aE\xdf\xa3", b"RIFF\xff\xff\xff\xffAVI ",
         b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n",
         b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1/"/></svg>')


def hostile(rng: random.Random) -> tuple[str, bytes]:
    """A file that is none, or that is to do harm: its name, and its bytes."""
    name, kind = rng.choice(NAMES), rng.random()
    if kind < 0.06:
        return rng.choice(("a.npz", name)), _zipped("expr.npy", b"\x00" * (40 << 20))
    if kind < 0.09:  # more than there can be, by its own word
        shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99), }"
        return "a.npy", b"\x93NUMPY\x01\x00v\x00" + shape.ljust(117) + b"\n"
    if kind < 0.12:
        return rng.choice(("a.json", name)), b"[" * 200_000
    if kind < 0.15:
        return rng.choice(("a.npz", name)), _zipped("../../evil.npy", rng.randbytes(100))
    if kind < 0.19:
        return rng.choice(("a.png", name)), _large_picture()
    if kind < 0.25:
        film = _film()
        return rng.choice(("a.mp4", name)), film[:rng.randrange(20, len(film) - 200)]
    if kind < 0.28:
        return name, b""
    return name, rng.choice(HEADS) + rng.randbytes(rng.randrange(1, 3000))


def _zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def _large_picture() -> bytes:
    """A PNG that says to be of 50,000 by 50,000 pixels, of which the first rows are there."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 5_000_000)) + chunk(b"IEND", b"")


@lru_cache(maxsize=1)
def _film() -> bytes:
    """A video of a second without a face."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for k in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * k, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return buffer.getvalue()
