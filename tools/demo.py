"""From nothing to a trained recogniser: makes .venv (or takes PYTHON=), installs, and runs recipes/demo.py with your arguments."""

from __future__ import annotations

import sys

from setup_venv import ROOT, interpreter, run

if __name__ == "__main__":
    sys.exit(run([interpreter("synth", "plot"), str(ROOT / "recipes" / "demo.py"), *sys.argv[1:]]))
