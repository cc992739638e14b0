"""Facial parameters of other tools as clips: :func:`read_parameters` recognises the format by content. Imports face/io/heads."""

from .base import Imported
from .recognise import FORMATS, read_parameters

__all__ = ["FORMATS", "Imported", "read_parameters"]
