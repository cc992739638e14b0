"""The HTTP application: the page, typed REST over the sessions, and what watches over both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import fastapi
from fastapi import Body, FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from ...common.text import one_line
from ...data_gen.wording.telling import STYLES
from ...face.head.model import HeadModel
from ...face.io import export as formats
from ..file_tools import draw, written_as
from ..options import PICTURES
from ..pipeline import FaceLM
from ..talk.session import SessionError
from ..talk.tools import TOOLS
from . import intake, lanes, rooms, share
from .guard import Guard
from .protocols.live import Faces
from .protocols.openai import router
from .rooms import Room, Rooms, Unknown
from .settings import Settings
from .socket import serve_socket

SUGGESTIONS = ("She smiles, then nods twice.", "A tired man yawns, then looks up.", "She winks with her left eye and smirks.",
               "He looks angry, then calms down.")
_WAIT = 600.0
Name = Annotated[str, fastapi.Path(max_length=40)]


class Line(BaseModel):
    """What a user says."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]


class ToolCall(BaseModel):
    """A tool with its arguments."""

    tool: Annotated[str, Field(max_length=40)]
    arguments: dict[str, Any] = {}
    said: Annotated[str, Field(max_length=4000)] = ""


class Begin(BaseModel):
    """Which session to begin or to go on with."""

    name: Annotated[str, Field(max_length=40)] | None = None


def make_app(settings: Settings | None = None, model: Callable[[], FaceLM] = FaceLM.from_pretrained,
             worn: HeadModel | None = None) -> FastAPI:
    """The application.

    Args:
        settings: see :class:`Settings`.
        model: loads the agent, once, at the start.
        worn: an avatar that is shown in the place of the agent's head.
    """
    settings = (settings or Settings()).checked()
    hub = Rooms(settings, model, worn)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await hub.start()
        yield
        await hub.close()

    app = FastAPI(title="facelm", version=version("facelm"), lifespan=life, docs_url=None, redoc_url=None,
                  description="Facial motion from words, and words about facial motion.")
    app.state.hub, app.state.settings = hub, settings
    _refusals(app)
    _pages(app, hub)
    _sessions(app, hub)
    _clips(app, hub)
    app.include_router(router(hub))

    faces = Faces(lambda: hub.model.performer, lambda words: hub.model.read(words), worn)
    app.add_api_websocket_route("/api/live", faces.serve)

    app.add_middleware(Guard, settings=settings)
    return app


def _refusals(app: FastAPI) -> None:
    """Every error is one line."""
    def line(request: Request, why: str, status: int) -> JSONResponse:
        why = one_line(why, 500)
        openai = request.url.path.startswith("/v1/")
        return JSONResponse({"error": {"message": why, "type": "invalid_request_error"} if openai else why}, status)

    def said(status: int) -> Callable[[Request, Exception], JSONResponse]:
        return lambda request, err: line(request, str(err), status)

    for kind, status in ((Unknown, 404), (rooms.Busy, 429), (ValueError, 422), (SessionError, 409), (ImportError, 501)):
        app.add_exception_handler(kind, said(status))

    @app.exception_handler(RequestValidationError)
    def _(request: Request, err: RequestValidationError) -> JSONResponse:
        first = err.errors()[0]
        return line(request, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 422)

    @app.exception_handler(fastapi.HTTPException)
    def _(request: Request, err: fastapi.HTTPException) -> JSONResponse:
        return line(request, str(err.detail), err.status_code)


def _pages(app: FastAPI, hub: Rooms) -> None:
    web = resources.files("facelm") / "agent" / "server" / "web"
    app.mount("/web", StaticFiles(directory=str(web), check_dir=False), name="web")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(str(web / "index.html"), headers={"cache-control": "no-cache"})

    @app.get("/live", include_in_schema=False)
    def live() -> FileResponse:
        return FileResponse(str(web / "live.html"), headers={"cache-control": "no-cache"})

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether the server works."""
        return {"ok": True, "version": version("facelm")}

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        """Counts in the form that Prometheus reads."""
        import resource

        decoder = getattr(hub.model.lm, "decoder", None)
        values = {"facelm_requests_total": hub.counts["requests"], "facelm_errors_total": hub.counts["errors"],
                  "facelm_cancelled_total": hub.counts["cancelled"], "facelm_busy_seconds_total": round(hub.counts["seconds"], 3),
                  "facelm_waiting": hub.waiting, "facelm_sessions_open": hub.open,
                  "facelm_memory_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                  "facelm_tokens_total": decoder.tokens if decoder else 0,
                  "facelm_decoder_steps_total": decoder.steps if decoder else 0,
                  "facelm_up_seconds": round(time.time() - hub.started, 1)}
        return "".join(f"{k} {v}\n" for k, v in values.items())

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        """What there is: the head's channels, lanes, names, exports and limits."""
        head = lanes.rig(hub.shown)
        return {"version": version("facelm"), "head": {"name": hub.shown.name, "fps_default": 25},
                "channels": list(head.names),
                "joints": list(lanes.JOINTS), "actions": lanes.about_names(),
                "lanes": [{"name": n, "label": w} for n, w in lanes.LANES.items()], "exports": list(exports()),
                "styles": list(STYLES), "tools": list(TOOLS), "suggestions": list(SUGGESTIONS),
                "limits": {"upload_mb": hub.settings.upload_mb, "upload_seconds": hub.settings.upload_seconds}}

    @app.get("/api/head.glb", response_class=Response)
    def head(request: Request) -> Response:
        """The head with all its morph targets and joints, at rest."""
        made = lanes.document(hub.shown)
        tag = f'"{hashlib.sha256(made).hexdigest()[:32]}"'  # another avatar is another head at the same address
        headers = {"cache-control": "no-cache", "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(made, media_type="model/gltf-binary", headers=headers)


def _sessions(app: FastAPI, hub: Rooms) -> None:
    @app.get("/api/sessions")
    def sessions() -> list[dict[str, Any]]:
        """All sessions, the newest first."""
        return hub.names()

    @app.post("/api/sessions")
    async def begin(asked: Annotated[Begin | None, Body()] = None) -> dict[str, Any]:
        """Begin a session, or go on with one."""
        return hub.room(asked.name if asked else None, make=True).to_dict()

    @app.get("/api/sessions/{name}")
    async def session(name: Name) -> dict[str, Any]:
        """A session: what was said, its clips, and which is at hand."""
        return hub.room(name).to_dict()

    @app.post("/api/sessions/{name}/say")
    async def say(name: Name, line: Line) -> dict[str, Any]:
        """Say a line, and wait for the reply."""
        return await _waited(hub, hub.room(name), rooms.say(line.text))

    @app.post("/api/sessions/{name}/call")
    async def call(name: Name, asked: ToolCall) -> dict[str, Any]:
        """Call a tool, and wait for what it says."""
        return await _waited(hub, hub.room(name), _call_work(asked.tool, asked.arguments, asked.said))

    @app.websocket("/api/sessions/{name}/socket")
    async def socket(websocket: WebSocket, name: str) -> None:
        await serve_socket(websocket, name, hub, _call_work)

    @app.post("/api/sessions/{name}/upload")
    async def upload(name: Name, request: Request, file: Annotated[str, Query(alias="name", max_length=200)]) -> dict[str, Any]:
        """Open a video, a picture or a file of parameters: the body is the file; what it becomes is told by the job."""
        room = hub.room(name)
        title = Path(file.replace("\\", "/")).name or "file"
        intake.kind_of(title)
        place = intake.place()
        try:
            await _received(request, place / f"upload{Path(title).suffix.lower()}", hub.settings.upload_mb)
            job = hub.ask(room, _taken(hub, room, place, title), lane="files")
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return {"job": job.id}

    @app.get("/api/jobs/{job}")
    async def job(job: Annotated[str, fastapi.Path(max_length=80)]) -> dict[str, Any]:
        """How far a job is."""
        if job not in hub.jobs:
            raise Unknown(f"there is no job {job}")
        return hub.jobs[job].to_dict()

    @app.get("/api/sessions/{name}/share", response_class=Response)
    async def shared(name: Name) -> Response:
        """The whole session as one file."""
        data = await asyncio.to_thread(share.packed, hub.room(name).folder)
        return Response(data, media_type="application/zip", headers={"content-disposition": f'attachment; filename="{name}.zip"'})

    @app.post("/api/sessions/import")
    async def imported(request: Request) -> dict[str, Any]:
        """Take over a session that was shared: the body is its file."""
        with tempfile.TemporaryDirectory(prefix="facelm-import-") as place:
            path = Path(place) / "session.zip"
            await _received(request, path, hub.settings.upload_mb)
            try:
                name = await asyncio.to_thread(share.taken_over, path, hub.settings.folder)
            except (zipfile.BadZipFile, OSError) as err:
                raise ValueError(f"that is no session that was shared ({err})") from None
        try:
            return hub.room(name).to_dict()
        except SessionError as err:
            hub.forget(name)
            raise ValueError(f"that is no whole session: {err}") from None


def _clips(app: FastAPI, hub: Rooms) -> None:
    base = "/api/sessions/{name}/clips/{clip}"

    @app.get(f"{base}/motion", response_class=Response)
    async def motion(name: Name, clip: int) -> Response:
        """The frames of a clip (docs/app.md has the layout)."""
        found = hub.room(name).clip(clip)

        def made() -> bytes:
            return lanes.packed(lanes.motion(found, hub.shown))
        return Response(await asyncio.to_thread(made), media_type="application/octet-stream")

    @app.get(f"{base}/timeline")
    async def timeline(name: Name, clip: int) -> dict[str, Any]:
        """What a clip shows and what was asked for, with times."""
        return await asyncio.to_thread(lanes.timeline, hub.room(name).clip(clip))

    @app.get(f"{base}/curves")
    async def curves(name: Name, clip: int, names: Annotated[str, Query(max_length=2000)] = "") -> dict[str, Any]:
        """The intensity of actions in every frame."""
        wanted = [n for n in names.split(",") if n]
        return await asyncio.to_thread(lanes.curves, hub.room(name).clip(clip), wanted, hub.model.head)

    @app.post(f"{base}/select")
    async def select(name: Name, clip: int) -> dict[str, Any]:
        """Take up a clip's version."""
        room = hub.room(name)
        found = room.clip(clip)
        await _waited(hub, room, _call_work("go_to", {"clip": f"version {found.version} of clip {found.number}"}, ""))
        return room.to_dict()

    @app.get(f"{base}/export/{{file}}", response_class=Response)
    async def export(name: Name, clip: int, file: Annotated[str, fastapi.Path(max_length=120)],
                     format: Annotated[str | None, Query(max_length=40)] = None,
                     target: Annotated[str | None, Query(max_length=40)] = None,
                     fps: Annotated[float | None, Query(ge=1, le=1000)] = None) -> Response:
        """A clip as a file, by its suffix, or as `facelm export` writes it with the same options."""
        found = hub.room(name).clip(clip)
        suffix = Path(file).suffix
        if suffix.lower() not in map(str.lower, exports()):
            raise ValueError(f"clips are exported as {', '.join(exports())}, not as {suffix or file!r}")
        title = "".join(c for c in Path(file).stem if c.isalnum() or c in "-_")[:60] or "clip"

        def made() -> bytes:
            with tempfile.TemporaryDirectory(prefix="facelm-export-") as place:
                path = Path(place) / f"{title}{suffix}"
                if suffix.lower() in PICTURES:
                    draw(found.sequence(), path, title=found.said[:80], head=hub.model.head)
                else:
                    formats.export(found.sequence(), hub.model.head, path, format=format, target=target, fps=fps,
                                   title=found.said[:80])
                return path.read_bytes()
        return Response(await asyncio.to_thread(made), media_type="application/octet-stream",
                        headers={"content-disposition": f'attachment; filename="{title}{suffix}"'})

    @app.get(f"{base}/video", response_class=Response)
    async def video(name: Name, clip: int) -> FileResponse:
        """The video behind an opened clip."""
        room = hub.room(name)
        found = room.clip(clip)
        media = next(iter(sorted(room.folder.glob(f"media-{found.number}.*"))), None)
        if media is None:
            raise Unknown(f"there is no video of {found.label}")
        return FileResponse(media)


async def _waited(hub: Rooms, room: Room, work: rooms.Work) -> dict[str, Any]:
    """The reply of a request once it is done."""
    request = hub.ask(room, work)
    await asyncio.wait_for(request.done.wait(), _WAIT)
    if request.reply is None:
        raise ValueError(request.error)
    return request.reply


def _call_work(tool: str, arguments: dict[str, Any], said: str = "") -> rooms.Work:
    """Work that calls a tool which clients may call: none that reads or writes files of the server."""
    if tool in ("open", "export") or tool not in TOOLS:
        allowed = ", ".join(t for t in TOOLS if t not in ("open", "export"))
        raise ValueError(f"{tool[:40]!r} is no tool for clients; allowed: {allowed}")
    return rooms.call(tool, arguments, said)


async def _received(request: Request, path: Path, limit: int) -> None:
    """A request's body as a file.

    Raises:
        ValueError: it is empty.
    """
    size = 0
    with open(path, "wb") as out:
        async for part in request.stream():
            size += len(part)
            if size > limit << 20:
                raise ValueError(f"the file is larger than {limit} MB")
            out.write(part)
    if not size:
        raise ValueError("the file is empty")


def _taken(hub: Rooms, room: Room, place: Path, title: str) -> rooms.Work:
    """Work that reads an upload and takes it up as a clip."""
    source = next(place.iterdir())

    def work(request: rooms.Request) -> dict[str, Any]:
        try:
            out = place / "out"
            out.mkdir()
            loaded = intake.take(source, title, out, hub.settings.upload_seconds, request.step)
            with rooms.watched(request) as agent:
                reply = agent.open(title, loaded)
                if intake.kind_of(title) != "parameters" and reply.clip is not None:
                    shutil.copyfile(source, room.folder / f"media-{reply.clip.number}{source.suffix}")
            return rooms.reply_dict(reply)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return work


def exports() -> tuple[str, ...]:
    """The endings of the files that a clip can be had as; USD where its library is installed."""
    return tuple(s for s in written_as() if not s.startswith(".usd") or find_spec("pxr"))


def openapi_json(app: FastAPI) -> str:
    """The OpenAPI document."""
    return json.dumps(app.openapi())
