"""facelm: facial motion as a language.

>>> from facelm import FaceLM
>>> lm = FaceLM.from_pretrained()                                    # doctest: +SKIP
>>> clip = lm.generate("She smiles, then nods twice.", seconds=4)    # doctest: +SKIP
>>> made, = lm.perform_many(["smile strong; nod x2; never blink"])   # doctest: +SKIP
>>> made.checks.ok, made.by                                          # doctest: +SKIP
>>> agent = Agent(session="out/monday")                              # doctest: +SKIP
>>> agent.say("She winks."), agent.say("no, the other eye")          # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Agent", "Check", "CheckList", "Cue", "FaceLM", "FaceSequence", "FaceTokenizer", "HeadModel", "Imported", "Never",
           "Performance", "Reply", "Script", "__version__", "check", "measure", "read", "read_script", "write_script"]

if TYPE_CHECKING:
    from .agent.motion.checked import Performance
    from .agent.pipeline import FaceLM
    from .agent.talk.agent import Agent, Reply
    from .face.clip.sequence import FaceSequence
    from .face.facs.check import Check, CheckList, check
    from .face.facs.measure import measure
    from .face.facs.script import Cue, Never, Script
    from .face.facs.script_text import read_script, write_script
    from .face.head.model import HeadModel
    from .face.io.convert.base import Imported
    from .face.io.convert.recognise import read
    from .tokenizer.codec import FaceTokenizer

_WHERE = {"Agent": ".agent.talk.agent", "Check": ".face.facs.check", "CheckList": ".face.facs.check",
          "Cue": ".face.facs.script", "FaceLM": ".agent.pipeline", "FaceSequence": ".face.clip.sequence",
          "FaceTokenizer": ".tokenizer.codec", "HeadModel": ".face.head.model", "Imported": ".face.io.convert.base",
          "Never": ".face.facs.script",
          "Performance": ".agent.motion.checked", "Reply": ".agent.talk.agent", "Script": ".face.facs.script",
          "check": ".face.facs.check", "measure": ".face.facs.measure", "read": ".face.io.convert.recognise",
          "read_script": ".face.facs.script_text",
          "write_script": ".face.facs.script_text"}


def __getattr__(name: str) -> Any:
    """Import the public classes when they are first used: `import facelm` stays fast."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name], __name__), name)
    raise AttributeError(f"module 'facelm' has no attribute {name!r}")
