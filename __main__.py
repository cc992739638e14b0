"""``python -m facelm`` is the ``facelm`` command."""

from .cli.main import entry

entry()
