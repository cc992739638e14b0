"""Clips as files of other tools: ``FORMATS`` says what each keeps and loses. Imports face/io and what is below it."""

from .base import Exported, Format
from .formats import FORMATS, export, suffixes, table

__all__ = ["FORMATS", "Exported", "Format", "export", "suffixes", "table"]
