"""Optional dependencies: imported when needed, with the command that installs them when absent."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def require(module: str, extra: str, needs: str = "") -> ModuleType:
    """Import ``module``.

    Args:
        module: its import name.
        extra: the extra of facelm that installs it.
        needs: what needs it, for the message ("the corpus is stored as Parquet").

    Raises:
        ImportError: it is not installed; the message names the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as err:
        if err.name and err.name.split(".")[0] != module.split(".")[0]:
            raise  # it is there, but something that it needs is not
        raise ImportError(f"{needs or f'this needs {module}'}: pip install 'facelm[{extra}]'") from err
