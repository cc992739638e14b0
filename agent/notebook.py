"""A clip in a notebook's cell: a head in 3D that plays it, with nothing from the network."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..common.optional import require
from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from .server.lanes import packed, rig
from .talk.session import Clip

_ENTRY = "js/notebook.js"
_MODULES = ("vendor/three.core.min.js", "vendor/three.module.min.js", "vendor/addons/utils/BufferGeometryUtils.js",
            "vendor/addons/utils/SkeletonUtils.js", "vendor/addons/controls/OrbitControls.js",
            "vendor/addons/loaders/GLTFLoader.js", "js/motion.js", "js/head.js", "js/studio.js", _ENTRY)
"""The modules of the player, below the page's folder."""
_LOADER = """
const sources = %s, urls = {};
function place(path) {
  return urls[path] ??= URL.createObjectURL(new Blob([sources[path].replace(/((?:from|import)\\s*)(["'])(\\.[^"']+)\\2/g,
    (_, word, quote, to) => word + quote + place(new URL(to, "http://x/" + path).pathname.slice(1)) + quote)],
    { type: "text/javascript" }));
}
const module = import(place(%s));
export default { render: async (context) => (await module).render(context) };
"""


@lru_cache(maxsize=1)
def script() -> str:
    """The player as one JavaScript module: three.js and the page's own modules, inline."""
    web = files(__package__) / "server" / "web"
    sources = {m: web.joinpath(m).read_text(encoding="utf-8") for m in _MODULES}
    return _LOADER % (json.dumps(sources).replace("</", "<\\/"), json.dumps(_ENTRY))


def player(clip: FaceSequence | Clip | str | os.PathLike[str], label: str = "", height: int = 360, head: HeadModel | None = None
           ) -> Any:
    """A widget that plays a clip; the last value of a cell is shown.

    Args:
        clip: a clip, one of a conversation (``agent.say(...).clip``), or a file.
        label: what stands below it; of a conversation's clip its name where there is none.
        height: of the picture, pixels.
        head: the clip's head; None is the default one.

    Raises:
        ImportError: anywidget is not installed (extra ``notebooks``).
        ValueError: a clip of another head, or a height outside 100 to 2000.
    """
    anywidget, traitlets = require("anywidget", extra="notebooks"), require("traitlets", extra="notebooks")
    if not 100 <= height <= 2000:
        raise ValueError(f"height is {height}; allowed: 100 to 2000 pixels")
    own = rig(head or HeadModel.default())
    if isinstance(clip, Clip):
        label, clip = label or f"{clip.label}: {clip.said}", clip.sequence()
    seq = clip if isinstance(clip, FaceSequence) else FaceSequence.load(clip, own.head.ref)
    about = {"head": own.glb(), "motion": packed(own.frames(seq)), "fps": seq.fps, "label": label, "height": height}
    traits = {"head": traitlets.Bytes(), "motion": traitlets.Bytes(), "fps": traitlets.Float(), "label": traitlets.Unicode(),
              "height": traitlets.Int()}
    made = type("Player", (anywidget.AnyWidget,), {"_esm": script(), **{n: t.tag(sync=True) for n, t in traits.items()}})
    return made(**about)
