"""What a server is told at its start."""

from __future__ import annotations

import ipaddress
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS

PORT = 8321


@dataclass(frozen=True, config=SETTINGS)
class Settings:
    """Where the server listens, what it keeps, and what it takes.

    Attributes:
        host: address; another one than loopback needs a token.
        port: TCP port; 0 takes a free one.
        folder: of the sessions, one folder each.
        token: what clients have to show; empty: nothing.
        upload_mb: largest upload.
        upload_seconds: longest video, and longest fit, in seconds of video and of time per video second.
        sessions: most sessions that are open at once.
        lanes: requests of different sessions that are worked on side by side.
        waiting: most requests that wait in all.
        requests: most requests a minute from one address.
        names: host names that requests may be for, beside the address itself.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = PORT
    folder: Path = Path("facelm-sessions")
    token: str = ""
    upload_mb: Annotated[int, Field(ge=1, le=4000)] = 200
    upload_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    sessions: Annotated[int, Field(ge=1, le=1000)] = 64
    lanes: Annotated[int, Field(ge=1, le=64)] = 8
    waiting: Annotated[int, Field(ge=1, le=10000)] = 200
    requests: Annotated[int, Field(ge=1)] = 3000
    names: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def checked(self) -> Settings:
        """The settings with a token where one is needed."""
        from dataclasses import replace

        return self if self.local or self.token else replace(self, token=secrets.token_urlsafe(24))

    @property
    def hosts(self) -> frozenset[str]:
        """Names in a request's Host header that are this server's."""
        return frozenset({self.host, "127.0.0.1", "localhost", "[::1]", *self.names} if self.local else {self.host, *self.names})
