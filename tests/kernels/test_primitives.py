"""Few primitives of oneDNN are kept, and what the user has said stands."""

from __future__ import annotations

import os
import subprocess
import sys

from ctcasr.kernels.primitives import settle_primitives

NAME = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def test_what_the_user_has_said_stands() -> None:
    said = {NAME: "7"}
    settle_primitives(said)
    assert said == {NAME: "7"}


def test_every_entry_point_says_it_and_the_library_does_not() -> None:
    code = (
        "import os, ctcasr, ctcasr.run_cli; "
        f"assert {NAME!r} not in os.environ; "
        f"ctcasr.run_cli.run_cli(lambda: print(os.environ[{NAME!r}]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(said.stdout) < 1024
