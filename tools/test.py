"""From nothing to tested: makes .venv (or takes PYTHON=), installs, and runs pytest.

--all adds the slow tests, and lets hypothesis draw new examples.
"""

from __future__ import annotations

import os
import sys

from setup_venv import interpreter, run


def main() -> int:
    """The exit status of pytest."""
    flags = sys.argv[1:]
    command = [interpreter("test"), "-m", "pytest", "--durations=10"]
    if "--all" in flags:
        flags.remove("--all")
        os.environ["CTCASR_EXPLORE"] = "1"
    else:
        command += ["-m", "not slow"]
    return run([*command, *flags])


if __name__ == "__main__":
    sys.exit(main())
