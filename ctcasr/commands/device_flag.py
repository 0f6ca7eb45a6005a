"""--device, which commands share with the recipes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `ctcasr --help` need not load torch
    import torch


def add_device_flag(parser: argparse._ActionsContainer, default: str = "auto") -> None:
    """The flag, with the words of the recipes."""
    parser.add_argument(
        "--device",
        default=default,
        metavar="auto|cpu|cuda",
        help=f"what computes; auto: CUDA where there is a device (default: {default})",
    )


def device_from(arguments: argparse.Namespace) -> torch.device:
    """The device that is asked for; ValueError for one that is not there."""
    from ctcasr.train import pick_device

    try:
        return pick_device(arguments.device)
    except ValueError as error:
        raise ValueError(f"--{error}") from error


def device_for(arguments: argparse.Namespace, paths: Sequence[str]) -> torch.device:
    """The device for networks in these files; ValueError where it is not there.

    ONNX files run on the CPU: whoever asks for CUDA by name is told so.
    """
    device = device_from(arguments)
    if arguments.device == "auto" or device.type == "cpu":
        return device
    for path in paths:
        if path.lower().endswith(".onnx"):
            raise ValueError(
                f"--device {arguments.device}: expected checkpoints (.pt) with it, as ONNX files "
                f"run on the CPU; got {path}"
            )
    return device
