"""Clips of the packaged head on an avatar, whose shapes, joints and names are the same."""

from __future__ import annotations

import numpy as np

from ..clip.sequence import FaceSequence
from ..head.model import HeadModel


def wears(head: HeadModel, seq: FaceSequence) -> bool:
    """Whether a head was made from the head that a clip is of, so that its parameters mean the same."""
    return head.meta.get("base") == seq.head.sha256


def worn(seq: FaceSequence, head: HeadModel) -> FaceSequence:
    """A clip on an avatar: the motion as it is, the avatar's identity in the place of the clip's.

    Raises:
        ValueError: the avatar was made from another head.
    """
    if not wears(head, seq):
        seq.require_head(head.ref)
        return seq
    return seq.replace(head=head.ref, shape=np.zeros(head.n_shape, np.float32))
