"""From nothing to tested: makes .venv (or takes PYTHON=), installs, and runs pytest; --all adds the slow tests."""

from __future__ import annotations

import sys

from setup_venv import interpreter, run

if __name__ == "__main__":
    passed_on = [argument for argument in sys.argv[1:] if argument != "--all"]
    chosen = [] if "--all" in sys.argv[1:] else ["-m", "not slow"]
    sys.exit(run([interpreter("test"), "-m", "pytest", "--durations=10", *chosen, *passed_on]))
