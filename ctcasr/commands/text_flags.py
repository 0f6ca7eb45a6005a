"""The flags that say how texts are written."""

from __future__ import annotations

import argparse

TEXT = "english38"
DIGITS = "keep"


def add_text_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
) -> None:
    """--text and --digits, as recipes have them."""
    parser.add_argument(
        "--text",
        default=TEXT,
        help=f"english38, english29, pieces:N or words:N (default: {TEXT})",
    )
    parser.add_argument(
        "--digits",
        default=DIGITS,
        choices=("keep", "spell"),
        help=f"keep digits, or spell them as words, as training will (default: {DIGITS})",
    )
