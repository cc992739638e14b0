"""Packets of Epic's Live Link Face app, version 6, which Unreal's "Apple ARKit" Live Link source receives (UDP, port 11111).

Big-endian: version (1 byte); device id and subject name, each a length (int32) and UTF-8; QualifiedFrameTime: frame number
(int32), part of a frame (float32), rate as numerator and denominator (int32); number of values (1 byte); the values (float32) in
the order of Unreal's EARFaceBlendShape, in which left comes before right. The layout is that of
FAppleARKitLiveLinkRemotePublisher in Unreal's AppleARKitLiveLinkSource.cpp and of https://github.com/JimWest/PyLiveLinkFace .
"""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np

from ..export.base import Job
from ..export.livelink import ANGLES, SHAPES, values

PORT = 11111
VERSION = 6
DEVICE = "FACE1A00-0000-4000-8000-0000FACE1A00"
"""The id that our packets carry; readers expect the 36 characters of a UUID."""
_SWAPPED = {"JawRight": "JawLeft", "JawLeft": "JawRight", "MouthRight": "MouthLeft", "MouthLeft": "MouthRight"}
NAMES: tuple[str, ...] = (*(_SWAPPED.get(n, n) for n in SHAPES), *ANGLES)
"""The values of a packet, in order."""


def rows(job: Job) -> np.ndarray:
    """``(T, 61)``: the values of every frame in a packet's order."""
    own = (*SHAPES, *ANGLES)
    return values(job)[:, [own.index(n) for n in NAMES]]


def packet(row: np.ndarray, frame: int, fps: float, subject: str = "facelm", device: str = DEVICE) -> bytes:
    """One frame.

    Args:
        row: (61,), see :func:`rows`.
        frame: number of the frame since midnight.
        fps: frames a second.
        subject: the name that Unreal shows.
        device: the id of the device.
    """
    rate = Fraction(fps).limit_denominator(1001)
    texts = b"".join(struct.pack("!i", len(t)) + t for t in (device.encode(), subject.encode()))
    return b"".join((struct.pack("!B", VERSION), texts, struct.pack("!if2i", frame, 0.0, rate.numerator, rate.denominator),
                     struct.pack(f"!B{len(NAMES)}f", len(NAMES), *row.tolist())))
