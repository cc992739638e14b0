"""The app's page in a real browser, against a live server."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from facelm.agent.pipeline import FaceLM
from facelm.agent.server.app import make_app
from facelm.agent.server.settings import Settings
from facelm.face.head.model import HeadModel

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = Path(__file__).resolve().parents[2] / ".venv/node/node_modules"
"""Where `make dev` puts axe-core and the Khronos validator."""
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
          "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@contextmanager
def serving_app(folder: Path, model: Callable[[], FaceLM], worn: HeadModel | None = None) -> Iterator[str]:
    """A live server; gives its address."""
    app = make_app(Settings(folder=folder, port=0), model, worn)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
        assert thread.is_alive()
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


class Page:
    """A page of the app, as its user sees it.

    Attributes:
        page: Playwright's page.
        lines: what the console said.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address, self.lines = page, address, []
        page.set_default_timeout(60_000)
        page.on("console", lambda m: self.lines.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.lines.append(f"pageerror: {e}"))

    def open(self, session: str) -> None:
        """Go to a session, and wait for the head."""
        self.page.goto(f"http://{self.address}/#{session}")
        self.ready()

    def ready(self) -> None:
        """Wait for the session and the head."""
        self.until("document.getElementById('view-note').hidden && "
                   "document.getElementById('session-name').textContent.trim() !== '…'")

    def until(self, expression: str, seconds: float = 120.0) -> None:
        """Wait without ``eval`` in the page, which its policy forbids."""
        ends = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < ends, f"never: {expression}"
            self.page.wait_for_timeout(60)

    def settled(self) -> None:
        """Wait until nothing is asked for and nothing is pending."""
        self.until("!document.querySelector('.wait, .bar.pending')")
        self.page.wait_for_timeout(400)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Do something by hand, then wait until its turn is in the session and shown."""
        before = len(self.session()["turns"])
        yield
        ends = time.monotonic() + 120
        while len(self.session()["turns"]) == before:
            assert time.monotonic() < ends, "no turn came of it"
            self.page.wait_for_timeout(60)
        self.settled()

    def say(self, text: str) -> str:
        """Say a line and wait for the reply."""
        rows = "document.querySelectorAll('#log > li:not(.welcome)').length"
        before = self.page.evaluate(rows)
        self.page.fill("#say", text)
        self.page.press("#say", "Enter")
        self.until(f"{rows} > {before}")
        self.settled()
        return str(self.page.locator("#log > li").last.inner_text())

    def probe(self) -> dict[str, Any]:
        """What the face shows at this moment."""
        shown: dict[str, Any] = self.page.evaluate("facelm.probe()")
        return shown

    def get(self, path: str) -> Any:
        """What the server says."""
        return self.page.evaluate(f"fetch('{path}').then(r => r.json())")

    def session(self) -> Any:
        """The session that is shown."""
        return self.get(f"/api/sessions/{self.page.evaluate('location.hash.slice(1)')}")

    @property
    def complaints(self) -> list[str]:
        """What the console said that is the page's own doing."""
        return [line for line in self.lines if "GPU stall" not in line and "GroupMarkerNotSet" not in line]


@contextmanager
def browsing(address: str, size: tuple[int, int] = (1440, 900), dark: bool = False, bypass: bool = False) -> Iterator[Page]:
    """A browser with one page; ``bypass`` lets tools into it that its policy keeps out."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light",
                                      bypass_csp=bypass, permissions=["camera"], accept_downloads=True)
        context.add_init_script("try { localStorage.setItem('facelm.welcomed', '1') } catch {}")
        try:
            yield Page(context.new_page(), address)
        finally:
            browser.close()
