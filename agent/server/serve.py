"""``facelm serve`` and ``facelm mcp``: the app in the browser, and the tools for other agents."""

from __future__ import annotations

import sys
import threading
import webbrowser
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from ...common.optional import require
from ...face.head.model import HeadModel
from ...llm.backends import Backend
from ..options import MODEL, ModelOptions, Result
from ..pipeline import FaceLM
from ..requests import output_folder, request
from ..talk.agent import Agent
from ..talk.session import Session
from .settings import PORT, Settings

MCP_PORT = 8322


def serve(*, host: str = "127.0.0.1", port: int = PORT, folder: str = "facelm-sessions", token: str | None = None,
          browser: Annotated[bool, Parameter(negative="--no-browser")] = True, upload_mb: int = 200, upload_seconds: int = 300,
          lanes: int = 8, backend: Backend = "torch", model: ModelOptions = MODEL) -> Result:
    """The app: a face to talk to, in the browser, with an API for programs. Ends with Ctrl-C.

    Args:
        host: Address to listen on; another one than this machine's own needs the token that is printed.
        port: TCP port; 0 takes a free one.
        folder: Where the conversations are kept, one folder each.
        token: What clients have to show (default: none on this machine, else a new one).
        browser: Open the page.
        upload_mb: Largest file that is taken, MB.
        upload_seconds: Longest video that is taken, s.
        lanes: Requests of different sessions that are worked on side by side.
        backend: What the language model decodes with: torch, or vllm (extra `vllm`).
    """
    require("uvicorn", "app", "the app is served by uvicorn and FastAPI")
    require("fastapi", "app", "the app is served by uvicorn and FastAPI")
    from .app import make_app

    settings = request(Settings, host=host, port=port, folder=output_folder(folder), token=token or "", upload_mb=upload_mb,
                       upload_seconds=upload_seconds, lanes=lanes).checked()
    if backend == "vllm":
        require("vllm", "vllm", "the backend vllm decodes with it")
    app = make_app(settings, partial(FaceLM.from_pretrained, model.weights, model.base, model.exact, backend, model.performer))
    _listen(app, settings, "", browser)
    return Result({"folder": str(settings.folder)}, f"the conversations are in {settings.folder}")


def serve_avatar(avatar: str, /, *, host: str = "127.0.0.1", port: int = PORT, folder: str = "facelm-sessions",
                 token: str | None = None, browser: Annotated[bool, Parameter(negative="--no-browser")] = True,
                 model: ModelOptions = MODEL) -> Result:
    """An avatar that lives in the browser and does what is typed. Ends with Ctrl-C.

    Args:
        avatar: NAME.avatar.
        host: Address to listen on; another one than this machine's own needs the token that is printed.
        port: TCP port; 0 takes a free one.
        folder: Where conversations are kept that the app's other page holds with it.
        token: What clients have to show (default: none on this machine, else a new one).
        browser: Open the page.
    """
    worn = HeadModel.load(avatar)
    if worn.meta.get("base") != HeadModel.default().sha256:
        raise ValueError(f"{avatar} was not made from the packaged head, whose motion it would show; make one with "
                         "`facelm avatar build`")
    require("uvicorn", "app", "the app is served by uvicorn and FastAPI")
    require("fastapi", "app", "the app is served by uvicorn and FastAPI")
    from .app import make_app

    settings = request(Settings, host=host, port=port, folder=output_folder(folder), token=token or "").checked()
    load = partial(FaceLM.from_pretrained, model.weights, model.base, model.exact, performer=model.performer)
    _listen(make_app(settings, load, worn), settings, "live", browser)
    return Result({"avatar": avatar}, f"{avatar} was shown")


def _listen(app: Any, settings: Settings, path: str, browser: bool = False) -> None:
    """Serve an application until Ctrl-C, and say where it is.

    Raises:
        ValueError: the port is taken, or the address is not this machine's.
    """
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, settings.host, settings.port, log_level="warning", ws_max_size=1 << 20,
                                           timeout_graceful_shutdown=5, server_header=False))

    def ready() -> None:
        while not server.started:
            if server.should_exit:
                return
            threading.Event().wait(0.05)
        taken = server.servers[0].sockets[0].getsockname()[1]
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{name}:{taken}/{path}" + (f"?token={settings.token}" if settings.token else "")
        print(f"facelm is at {address}   (Ctrl-C ends it)", file=sys.stderr, flush=True)
        if browser:
            webbrowser.open(address)

    threading.Thread(target=ready, daemon=True).start()
    server.run()
    if not server.started:
        raise ValueError(f"port {settings.port} of {settings.host} cannot be listened on; take another with --port, or 0 for a "
                         "free one")


def serve_mcp(*, session: str | None = None, http: bool = False, host: str = "127.0.0.1", port: int = MCP_PORT,
              token: str | None = None, model: ModelOptions = MODEL) -> None:
    """The tools for other agents by the Model Context Protocol: over standard input and output, or HTTP.

    Args:
        session: Folder of the conversation, which is gone on with if there is one (default: one that nobody keeps).
        http: Serve streamable HTTP at /mcp instead of standard input and output.
        host: Address to listen on; another one than this machine's own needs the token that is printed; with --http.
        port: TCP port; with --http.
        token: What clients have to show (default: none on this machine, else a new one); with --http.
    """
    if not http and (host, port, token) != ("127.0.0.1", MCP_PORT, None):
        raise ValueError("--host, --port and --token are those of --http")
    settings = request(Settings, host=host, port=port, token=token or "").checked()
    if session is not None:
        output_folder(session)

    def begun() -> Agent:
        return Agent(Session(session), FaceLM.from_pretrained(model.weights, model.base, model.exact, performer=model.performer))

    require("mcp", "app", "the tools are served by the package mcp")
    from .protocols.mcp import guarded, make_server

    server = make_server(begun)
    if http:
        _listen(guarded(server, settings), settings, "mcp")
    else:
        server.run("stdio")
