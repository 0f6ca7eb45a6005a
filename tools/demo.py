"""From nothing to a trained recogniser: makes .venv (or takes PYTHON=), installs, runs the demo.

What stands behind it on the command line is handed on to recipes/demo.py.
"""

from __future__ import annotations

import sys

from setup_venv import interpreter, run


def main() -> int:
    """The exit status of the recipe."""
    python = interpreter("synth", "plot")
    return run([python, "-m", "ctcasr", "train", "demo", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
