"""`facelm head ...`, `convert`, `retarget` and `info`: heads, and parameters of other tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from cyclopts import Parameter

from .. import __version__
from ..agent import tools
from ..agent.results import Facts, Result
from ..agent.tools import Model
from .output import FLAT, Out

MODEL = Model()


def head_import(path: str, /, *, out: Out, landmarks: str | None = None, masks: str | None = None,
                eyelids: tuple[str, str] | None = None, edition: str | None = None) -> Result:
    """A FLAME file (2020, 2023, 2023 Open) or an ICT-FaceKit head, made a facelm head.

    Args:
        path: generic_model.pkl, flame2023.pkl, flame2023_Open.pkl, or an ICT-FaceKit .npz.
        out: The head, HEAD.npz.
        landmarks: landmark_embedding.npy or flame_static_embedding.pkl, for FLAME.
        masks: Regions of the face, FLAME_masks.pkl.
        eyelids: Blend shapes of the lids (l_eyelid.npy and r_eyelid.npy of SMIRK), which FLAME has not.
        edition: What to call it (default: read off the file's name).
    """
    return tools.head_import(path, out, landmarks, masks, eyelids, edition)


def head_show(path: str | None = None, /, *, png: str | None = None) -> Result:
    """What a head file holds.

    Args:
        path: HEAD.npz (default: the packaged head).
        png: Draw it as well, FILE.png.
    """
    return tools.head_show(path, png)


def head_list(folder: str = ".", /) -> Iterable[Result]:
    """The packaged head and the head files of a folder.

    Args:
        folder: The folder.
    """
    return tools.head_list(folder)


def convert(path: str, /, *, out: Out, head: str | None = None, fps: float | None = None) -> Result:
    """Parameters of other tools to a clip: VHAP, DECA, EMOCA, SMIRK, TDMM-LM, blend shapes, Live Link Face.

    Args:
        path: A file or a folder of frames; the format is recognised by content.
        out: The clip, CLIP.npz.
        head: The head that the parameters drive, HEAD.npz; FLAME parameters need one.
        fps: Frames per second (default: as the file says, else 25).
    """
    return tools.convert(path, out, tools.load_head(head) if head else None, fps)


def retarget(clips: list[str], /, *, out: Out, to: str, source: Annotated[str, Parameter(name="--from")] = tools.DEFAULT,
             identity: Literal["fit", "average"] = "fit", trust: float | None = None) -> Iterable[Result]:
    """Clips of one head to clips of another; reports the error by region in mm.

    Args:
        clips: Clips of one head.
        out: The result, CLIP.npz; a folder when there are several clips.
        to: The head to go to, HEAD.npz; "default" is the packaged one.
        source: The head that the clips are of, HEAD.npz; "default" is the packaged one.
        identity: Carry the clip's identity over, or take the target's average face.
        trust: Between heads with ARKit's names: 0 follows the geometry alone, 100 nearly the names alone (default: 3).
    """
    return tools.retarget(clips, out, tools.load_head(source), tools.load_head(to), identity, trust)


def info(*, model: Annotated[Model, FLAT] = MODEL) -> Result:
    """Versions, weights, base model and head in use."""
    return Facts({"facelm": __version__, **tools.info(model).values})
