"""What glibc's malloc gives back to the system, and what it keeps for the next batch."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h
_OWN_MAPPING_BYTES = 32 << 20  # the most that glibc takes; tensors of a batch are smaller
_KEPT_BYTES = 256 << 20
_SAID = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def settle_heap(environment: Mapping[str, str] = os.environ) -> bool:
    """Have malloc keep up to 256 MB that was freed, unless the user has said what to do.

    For entry points. A step of training frees and asks for tens of megabytes; each page that goes
    back to the system in between is cleared anew when it is touched, which was a thirtieth of the
    time. Returns whether there is a malloc that can be told.
    """
    if any(name in environment for name in _SAID):
        return False
    with suppress(AttributeError, OSError, TypeError):  # another C library, or none to be found
        mallopt = ctypes.CDLL(None).mallopt
        told = mallopt(_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
        return bool(told and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
    return False
