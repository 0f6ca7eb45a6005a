"""malloc keeps what a step frees, and what the user has said stands."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ctcasr.kernels.heap import settle_heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc here")
MB = 1 << 20
KEPT = """
import ctypes, sys
from ctcasr.kernels.heap import settle_heap

if sys.argv[1] == "settled":
    assert settle_heap({})
libc = ctypes.CDLL(None)
for function in (libc.malloc, libc.sbrk):
    function.restype = ctypes.c_void_p
before = libc.sbrk(0)
blocks = [libc.malloc(1 << 20) for _ in range(int(sys.argv[2]))]
for block in blocks:
    libc.free(ctypes.c_void_p(block))
print(libc.sbrk(0) - before)
"""


@pytest.mark.parametrize(
    "name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"]
)
def test_what_the_user_has_said_stands(name: str) -> None:
    assert not settle_heap({name: "1"})


def test_entry_points_ask_for_large_pages_and_the_user_has_the_last_word() -> None:
    code = (
        "import os, ctcasr, ctcasr.run_cli; "
        "print(os.environ.get('THP_MEM_ALLOC_ENABLE')); "
        "ctcasr.run_cli.run_cli(lambda: print(os.environ['THP_MEM_ALLOC_ENABLE']))"
    )
    name = "THP_MEM_ALLOC_ENABLE"
    environment = {key: value for key, value in os.environ.items() if key != name}
    for said, expected in (({}, ["None", "1"]), ({name: "0"}, ["0", "0"])):
        call = [sys.executable, "-c", code]
        told = subprocess.check_output(call, text=True, env=environment | said)
        assert told.split() == expected


@glibc
def test_memory_that_was_freed_is_kept_within_bounds() -> None:
    def kept_mb(which: str, blocks: int) -> float:
        call = [sys.executable, "-c", KEPT, which, str(blocks)]
        return int(subprocess.check_output(call, text=True, env={})) / MB

    assert kept_mb("settled", 64) >= 60
    assert kept_mb("settled", 400) < 64
    assert kept_mb("as it was", 64) < 8
