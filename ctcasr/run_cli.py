"""What every entry point shares: errors as sentences and exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def run_cli(work: Callable[[], int | None]) -> int:
    """Exit status of `work`; an error is told in a sentence (CTCASR_TRACEBACK=1 shows where it arose)."""
    try:
        return work() or 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if os.environ.get("CTCASR_TRACEBACK"):
            raise
        print(f"ctcasr: {error}", file=sys.stderr)
        return 1
