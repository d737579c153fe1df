"""Attention of every head of every layer, as a run stores it: shares of 255 in one byte each."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1 << 20  # bytes of one item


def decoded(told: Any, target: int, source: int) -> NDArray[np.float64] | None:
    """Weights (T, layers, heads, S) from {"shape", "weights"}; None where they do not fit these T and S."""
    if not isinstance(told, dict) or not isinstance(told.get("weights"), str):
        return None
    shape = told.get("shape")
    if not isinstance(shape, list) or len(shape) != 4 or not all(type(n) is int and 0 < n <= MOST for n in shape):
        return None
    if shape[0] < target or shape[3] != source or math.prod(shape) > MOST:
        return None
    try:
        content = base64.b64decode(told["weights"], validate=True)
    except ValueError:
        return None
    if len(content) != math.prod(shape):
        return None
    return (np.frombuffer(content, dtype=np.uint8).reshape(shape) / 255)[:target]
