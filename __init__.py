"""facelm: facial motion as a language.

>>> from facelm import FaceLM
>>> lm = FaceLM.from_pretrained()                                    # doctest: +SKIP
>>> clip = lm.generate("She smiles, then nods twice.", seconds=4)    # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["FaceLM", "FaceSequence", "FaceTokenizer", "HeadModel", "__version__", "measure"]

if TYPE_CHECKING:
    from .agent.pipeline import FaceLM
    from .face.clip.sequence import FaceSequence
    from .face.facs.measure import measure
    from .face.head.model import HeadModel
    from .tokenizer.codec import FaceTokenizer

_WHERE = {"FaceLM": ".agent.pipeline", "FaceSequence": ".face.clip.sequence", "FaceTokenizer": ".tokenizer.codec",
          "HeadModel": ".face.head.model", "measure": ".face.facs.measure"}


def __getattr__(name: str) -> Any:
    """Import the public classes when they are first used: `import facelm` stays fast."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name], __name__), name)
    raise AttributeError(f"module 'facelm' has no attribute {name!r}")
