"""Arrays of foreign head files, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def numbers(where: object, content: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """An array of finite numbers (sparse ones written out) as float64."""
    value = content[key]
    array = value.toarray() if sparse.issparse(value) else value
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(value).__name__
        raise ValueError(f"{where}: {key} holds no array of numbers but {kind}")
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: {key} holds values that are not finite")
    return array.astype(np.float64)


def indices(where: object, content: Mapping[str, Any], key: str, top: int) -> NDArray[np.int32]:
    """An array of whole numbers from 0 to ``top - 1``."""
    array = numbers(where, content, key)
    if array.size and ((array != np.floor(array)).any() or array.min() < 0 or array.max() >= top):
        raise ValueError(f"{where}: {key} holds {array.min():g}..{array.max():g}; allowed: 0..{top - 1}, whole numbers")
    return array.astype(np.int32)
