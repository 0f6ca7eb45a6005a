"""Is enhanced speech understood better?

python recipes/score_enhanced.py SCENES.jsonl --enhanced DIR \\
    --recogniser runs/judges/r1/best.pt --out runs/score
"""

from __future__ import annotations

import sys

from ctcasr.cli import main as ctcasr


def main(argv: list[str] | None = None) -> int:
    """The same as `ctcasr score-enhanced`; its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return ctcasr(["score-enhanced", *arguments])


if __name__ == "__main__":
    raise SystemExit(main())
