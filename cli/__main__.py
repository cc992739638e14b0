"""The command line as ``python -m facelm.cli``."""

from .main import entry

entry()
