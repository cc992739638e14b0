"""What edits a picture by words: the slot, the default that moves the photo's pixels, and the words of the thesis' prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ....data_gen.fit.photo import fit_pictures
from ....data_gen.photo.edit import PhotoEditor
from ....face.facs.script import Script
from ....face.facs.script_text import read_script
from ....face.io.photo import Picture
from .kdef import EMOTIONS

Rgb = NDArray[np.uint8]
_SCRIPTS = {word: script for word, _, script in EMOTIONS.values() if script}


@dataclass(frozen=True, eq=False)
class EditedPicture:
    """A picture (H,W,3) uint8, and where it may differ from its source, (H,W) in [0,1]."""

    rgb: Rgb
    mask: NDArray[np.float32]


class PictureEditor(Protocol):
    """Edits pictures of a face by words."""

    name: str

    def edit(self, rgb: Rgb, prompt: str, seed: int = 0) -> EditedPicture:
        """The picture (H,W,3) with the expression that a prompt names."""
        ...


def script_of(prompt: str) -> Script:
    """The script of a prompt: one of KDEF's emotions as the thesis words it ("happy face", "happy"), or a script line.

    Raises:
        ValueError: neither.
    """
    for word, line in _SCRIPTS.items():
        if word in prompt.lower().split():
            return read_script(line)
    try:
        return read_script(prompt)
    except ValueError as err:
        raise ValueError(f"{prompt!r} is not understood ({err}); allowed: {', '.join(_SCRIPTS)}, or a script line") from err


class MeshPictureEditor:
    """The default: the photo's own pixels moved (:class:`PhotoEditor`); needs ``facelm[photo]``."""

    name = "mesh (facelm photo edit)"

    def __init__(self) -> None:
        self._last: tuple[bytes, PhotoEditor] | None = None

    def edit(self, rgb: Rgb, prompt: str, seed: int = 0) -> EditedPicture:
        """See :class:`PictureEditor`.

        Raises:
            ValueError: no face in the picture, or a prompt that is not understood.
        """
        script, key = script_of(prompt), rgb.tobytes()
        if self._last is None or self._last[0] != key:  # one neutral picture gets many prompts
            self._last = key, PhotoEditor(fit_pictures([Picture(rgb)]))
        done = self._last[1].edit(script, seed=seed)
        return EditedPicture(done.rgb, done.changed.astype(np.float32))
