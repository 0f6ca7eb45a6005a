"""How memory comes from the system: what malloc keeps for the next batch, and in which pages."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h
_OWN_MAPPING_BYTES = 32 << 20  # the most that glibc takes; tensors of a batch are smaller
_KEPT_BYTES = 256 << 20
_HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # torch's own, for tensors of 2 MB and more on Linux
_SAID = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def settle_pages(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have torch ask for pages of 2 MB for large tensors, unless the user has said otherwise.

    For entry points, before the first tensor. A page is cleared when it is first touched, and of
    4 KB each a batch has ten thousands. Where utterances differ in length no memory fits the next
    batch, and a step took a quarter longer.

    Example:
        >>> environment = {"THP_MEM_ALLOC_ENABLE": "0"}
        >>> settle_pages(environment)
        >>> environment
        {'THP_MEM_ALLOC_ENABLE': '0'}
    """
    environment.setdefault(_HUGE_PAGES, "1")


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
