"""Other tools' facial motion as clips: :func:`read` recognises the format by content. Imports face/io/heads."""

from .base import Format, Imported
from .recognise import FORMATS, format_list, format_table, read

__all__ = ["FORMATS", "Format", "Imported", "format_list", "format_table", "read"]
