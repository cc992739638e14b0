"""Loading the agent for a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Model

if TYPE_CHECKING:
    from .pipeline import FaceLM


def load_agent(model: Model) -> FaceLM:
    """Load the language model; a missing base is refused before anything is loaded."""
    from ..llm.base import find_base
    from .pipeline import FaceLM

    find_base(model.base)
    return FaceLM.from_pretrained(model.weights, model.base, model.exact, performer=model.performer)
