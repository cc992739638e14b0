"""OSC messages of the Virtual Motion Capture protocol (https://protocol.vmc.info/english): expressions and the head's turn.

VSeeFace, Warudo, VMC4UE, VRM4U and VMC4B listen to it, usually on port 39539 or 39540. ARKit's shapes go under the names of
"Perfect Sync" avatars (``JawOpen``), VRM's expressions under those of VRM 1.0. Bones are Unity's: left-handed, x to the
avatar's right.
"""

from __future__ import annotations

import numpy as np

from ....common.optional import require
from ..export.base import Job

PORT = 39539
_BUNDLED = 20
"""Messages in a packet, so that it fits a network's usual 1,500 bytes."""


def rows(job: Job) -> np.ndarray:
    """``(T, N + 4)``: weights within 0 to 1, then the head's turn as Unity's quaternion x, y, z, w."""
    return np.c_[job.curves.cut().values, job.turns.as_quat() * [1.0, -1.0, -1.0, 1.0]]


def packets(names: tuple[str, ...], row: np.ndarray, seconds: float, arkit: bool) -> list[bytes]:
    """One frame as OSC bundles; the receiver applies it with the last.

    Args:
        names: of the weights.
        row: (N + 4,), see :func:`rows`.
        seconds: since the start.
        arkit: whether the names are ARKit's.
    """
    require("pythonosc", "live", "VMC messages are sent by python-osc")
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
    from pythonosc.osc_message_builder import build_msg

    said = [build_msg("/VMC/Ext/OK", 1), build_msg("/VMC/Ext/T", float(seconds)),
            build_msg("/VMC/Ext/Bone/Pos", ["Head", 0.0, 0.0, 0.0, *row[-4:].tolist()])]
    said += [build_msg("/VMC/Ext/Blend/Val", [f"{n[0].upper()}{n[1:]}" if arkit else n, float(v)])
             for n, v in zip(names, row, strict=False)]
    said.append(build_msg("/VMC/Ext/Blend/Apply", []))
    out = []
    for first in range(0, len(said), _BUNDLED):
        bundle = OscBundleBuilder(IMMEDIATELY)
        for message in said[first:first + _BUNDLED]:
            bundle.add_content(message)
        out.append(bundle.build().dgram)
    return out
