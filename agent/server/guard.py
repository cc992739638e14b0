"""What every request passes: whose it is, for which host, from which page, how many there were, and how large it is."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .settings import Settings

COOKIE = "facelm"
Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
_POLICY = ("default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
           "connect-src 'self' ws: wss: blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
           "form-action 'none'")
_HEADERS = [(b"content-security-policy", _POLICY.encode()), (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"), (b"cross-origin-opener-policy", b"same-origin")]
_BODY = 1 << 20
"""Bytes of a request that is no upload."""
_OPEN = ("/health",)
_MINUTE = 60.0


class Guard:
    """ASGI middleware."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self._seen: dict[str, deque[float]] = {}

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Let a request through, or refuse it in one line."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        status, why = self._refusal(scope, headers)
        if why:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 4000 + status, "reason": why[:120]})
            else:
                await _answer(send, status, why)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        limit = self.settings.upload_mb << 20 if _uploads(scope["path"]) else _BODY
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > limit:
            await _answer(send, 413, str(TooLarge(limit)))  # before any of it is read
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message: Message = await receive()
            got += len(message.get("body", b""))
            if got > limit:
                raise TooLarge(limit)
            return message

        started = False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                extra = [*_HEADERS, *self._cookie(scope)]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        try:
            await self.app(scope, counted, marked)
        except TooLarge as err:
            if not started:
                await _answer(send, 413, str(err))

    def _refusal(self, scope: Message, headers: dict[str, str]) -> tuple[int, str]:
        """Why a request is refused; an empty text where it is not."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        allowed = {h.strip("[]") for h in self.settings.hosts}
        if host not in allowed and self.settings.host not in ("0.0.0.0", "::"):
            return 421, f"this server answers for {', '.join(sorted(allowed))}, not for {host[:80]!r}"
        origin = headers.get("origin")
        if origin and origin != "null" and urlsplit(origin).netloc != headers.get("host"):
            return 403, "requests from other pages are refused"
        if origin == "null":
            return 403, "requests from pages without an origin are refused"
        if headers.get("sec-fetch-site") == "cross-site" and scope["type"] == "http" and scope["method"] != "GET":
            return 403, "requests from other pages are refused"
        if self.settings.token and scope["path"] not in _OPEN and not self._known(scope, headers):
            return 401, "a token is needed: open the address that the server printed, or send Authorization: Bearer TOKEN"
        address = (scope.get("client") or ("?",))[0]
        seen = self._seen.setdefault(address, deque())
        now = time.monotonic()
        while seen and now - seen[0] > _MINUTE:
            seen.popleft()
        if len(seen) >= self.settings.requests:
            return 429, f"more than {self.settings.requests} requests a minute; wait a moment"
        seen.append(now)
        if len(self._seen) > 10_000:
            self._seen = {a: s for a, s in self._seen.items() if s and now - s[-1] <= _MINUTE}
        return 0, ""

    def _known(self, scope: Message, headers: dict[str, str]) -> bool:
        cookies = SimpleCookie(headers.get("cookie", ""))
        shown = [headers.get("authorization", "").removeprefix("Bearer ").strip(), *parse_qs(_query(scope)).get("token", ())]
        shown += [cookies[COOKIE].value] if COOKIE in cookies else []
        return any(hmac.compare_digest(s.encode(), self.settings.token.encode()) for s in shown if s)

    def _cookie(self, scope: Message) -> list[tuple[bytes, bytes]]:
        if self.settings.token and "token" in parse_qs(_query(scope)):
            return [(b"set-cookie", f"{COOKIE}={self.settings.token}; HttpOnly; SameSite=Strict; Path=/".encode())]
        return []


class TooLarge(Exception):
    """A request's body is larger than it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is larger than {limit >> 20} MB")


def _query(scope: Message) -> str:
    return str(scope.get("query_string", b"").decode("latin-1"))


def _uploads(path: str) -> bool:
    return path.endswith(("/upload", "/import"))


async def _answer(send: Any, status: int, why: str) -> None:
    import json

    body = json.dumps({"error": why}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
