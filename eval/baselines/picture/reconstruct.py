"""A 3D face of a picture, its identity frozen to the neutral picture's: the slot, the fit, and other programs' results.

A. Syed, "From Words to 3D Faces" (2025), section 3.4: DECA once on the neutral picture; of every other picture its expression and
pose are kept and the shape code is the neutral one's, so that all meshes are of one person and one topology.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ....data_gen.fit.photo import fit_pictures
from ....face.clip.sequence import FaceSequence
from ....face.head.model import HeadModel
from ....face.io.convert.recognise import read
from ....face.io.photo import Picture

Rgb = NDArray[np.uint8]


class Reconstructor(Protocol):
    """Pictures to poses of one person."""

    head: HeadModel

    def __call__(self, rgb: Rgb, name: str) -> FaceSequence:
        """The pose of a picture (H,W,3), one frame; ``name`` is its file's, without the ending."""
        ...


class FitReconstructor:
    """The default: a fit of each picture, put on the neutral picture's personal head. Needs ``facelm[photo]``.

    Raises:
        ValueError: no face in the neutral picture.
    """

    def __init__(self, neutral: Rgb) -> None:
        fit = fit_pictures([Picture(neutral)])
        self.head = fit.head

    def __call__(self, rgb: Rgb, name: str = "") -> FaceSequence:
        """See :class:`Reconstructor`.

        Raises:
            ValueError: no face in the picture.
        """
        return fit_pictures([Picture(rgb)]).photos[0].pose.replace(head=self.head.ref)


class ReadReconstructor:
    """Results of DECA, EMOCA, SMIRK or another program that ``facelm convert`` reads, one file or folder a picture.

    Args:
        folder: holds ``NAME.EXT`` or ``NAME/`` for every picture NAME.
        neutral: name of the neutral picture.
        head: what the numbers belong to: a FLAME head.

    Raises:
        FileNotFoundError: there is nothing for a picture.
        ValueError: its file is not understood.
    """

    def __init__(self, folder: str | os.PathLike[str], neutral: str, head: HeadModel) -> None:
        self.folder, self.head = Path(folder), head
        self.shape = self._read(neutral).shape

    def __call__(self, rgb: Rgb | None, name: str) -> FaceSequence:
        """See :class:`Reconstructor`; the picture itself is not looked at."""
        return self._read(name).replace(shape=self.shape)

    def _read(self, name: str) -> FaceSequence:
        found = sorted(p for p in self.folder.glob("*") if p.name == name or p.stem == name) if self.folder.is_dir() else []
        if not found:
            raise FileNotFoundError(f"{self.folder}: nothing for the picture {name!r}; needed: {name}.pkl, .npz, .mat or another "
                                    "file that `facelm convert` reads")
        return read(found[0], self.head, fps=25.0).sequence.slice(0, 1)
