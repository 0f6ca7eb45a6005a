"""From nothing to tested: makes .venv (or takes PYTHON=), installs, and runs pytest.

--all adds the slow tests, and lets hypothesis draw new examples.
"""

from __future__ import annotations

import os
import sys

from setup_venv import interpreter, run


def workers(flags: list[str]) -> list[str]:
    """As many processes as there are cores, at most four; one where the flags say how many."""
    cores = min(os.cpu_count() or 1, 4)
    told = any(flag.startswith("-n") for flag in flags)
    return [] if told or cores == 1 else ["-n", str(cores)]


def main() -> int:
    """The exit status of pytest."""
    flags = sys.argv[1:]
    command = [interpreter("test"), "-m", "pytest", "--durations=10", *workers(flags)]
    if "--all" in flags:
        flags.remove("--all")
        os.environ["CTCASR_EXPLORE"] = "1"
    else:
        command += ["-m", "not slow"]
    return run([*command, *flags])


if __name__ == "__main__":
    sys.exit(main())
