"""Plays prepared frames to an address in real time."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Played:
    """What was sent."""

    frames: int
    skipped: int
    """Frames whose time had passed when the system came round to them."""
    seconds: float


def address(text: str, port: int, option: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``HOST``, ``PORT`` or ``[IPv6]:PORT``; this computer where no host is given.

    Raises:
        ValueError: it cannot be read.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*))(?::(\d+))?", text if not text.isdigit() else f":{text}")
    number = int(match[3] or port) if match else 0
    if match is None or not text or not 1 <= number <= 65535:
        raise ValueError(f"{option} is {text!r}; allowed: HOST:PORT, such as 127.0.0.1:{port}")
    return match[1] or match[2] or "127.0.0.1", number


def reachable(to: tuple[str, int], text: str, option: str) -> None:
    """Refuse a host that nobody knows, before anything is done for it.

    Raises:
        ValueError: the host is unknown; the message has the option, its value and what is allowed.
    """
    try:
        _found(*to)
    except OSError as err:
        raise ValueError(f"{option} is {text!r}: the host {to[0]!r} is not known ({err.strerror or err}); allowed: HOST:PORT, "
                         f"such as 127.0.0.1:{to[1]}") from None


def _found(host: str, port: int) -> tuple[Any, Any, int, str, Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]


def play(frame: Callable[[int, int], Iterable[bytes]], frames: int, fps: float, to: tuple[str, int], loop: bool = False,
         clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep) -> Played:
    """Send frames by UDP, each at its time; a frame that is late by more than one is left out.

    Args:
        frame: gives the packets of a frame of the clip (first number), which is the so-manieth since the start (second).
        frames: in the clip.
        fps: frames a second.
        to: host and port.
        loop: begin again, until interrupted.
        clock: seconds; sleep: waits.

    Raises:
        OSError: the host is unknown, or the network refuses.
    """
    family, kind, _, _, place = _found(*to)
    sent = skipped = 0
    with socket.socket(family, kind) as out:
        start = clock()
        for k in itertools.count() if loop else range(frames):
            ahead = start + k / fps - clock()
            if ahead < -1.0 / fps and (loop or k < frames - 1):
                skipped += 1
                continue
            if ahead > 0:
                sleep(ahead)
            for data in frame(k % frames, k):
                out.sendto(data, place)
            sent += 1
        return Played(sent, skipped, clock() - start)
