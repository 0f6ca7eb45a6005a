"""The flags that say how texts are written."""

from __future__ import annotations

import argparse


def add_text_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
) -> None:
    """--text and --digits, as recipes have them."""
    parser.add_argument(
        "--text", default="english38", help="english38, english29 or pieces:N (default: english38)"
    )
    parser.add_argument(
        "--digits",
        default="keep",
        choices=("keep", "spell"),
        help="keep digits, or spell them as words, as training will (default: keep)",
    )
