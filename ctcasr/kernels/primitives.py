"""How many compiled primitives oneDNN keeps: torch's convolutions and products on a CPU."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

_CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_KEPT = 64  # 57 convolutions with batches all alike are as fast as with 1024; with 16 not


def settle_primitives(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have oneDNN keep few primitives, unless the user has said how many.

    For entry points, before the first convolution. Utterances differ in length, so that nearly
    every batch asks for primitives of its own: of the 1024 that oneDNN keeps otherwise hardly any
    is met again, and they hold more than a gigabyte.

    Example:
        >>> environment: dict[str, str] = {}
        >>> settle_primitives(environment)
        >>> environment
        {'ONEDNN_PRIMITIVE_CACHE_CAPACITY': '64'}
    """
    environment.setdefault(_CAPACITY, str(_KEPT))
