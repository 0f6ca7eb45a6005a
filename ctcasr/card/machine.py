"""The machine and the software that a card was measured with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

MODEL = re.compile(r"^(?:model name|Model)\s*:\s*(.+)$", re.MULTILINE)  # of the processor


def hardware() -> dict[str, Any]:
    """Processor and cores, memory, and graphics processors.

    Keys: cpu, machine, cores, memory_bytes, gpus, and driver where there is a GPU.
    """
    facts: dict[str, Any] = {
        "cpu": _cpu(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory(),
        "gpus": [],
    }
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            gpu = torch.cuda.get_device_properties(index)
            facts["gpus"].append(
                {
                    "name": gpu.name,
                    "memory_bytes": gpu.total_memory,
                    "compute_capability": f"{gpu.major}.{gpu.minor}",
                }
            )
        facts["driver"] = _first_line(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        )
    return facts


def software() -> dict[str, Any]:
    """Versions, and the commit of a checkout.

    Keys: ctcasr, commit, python, system, torch, torchaudio, numpy, numba, cuda, cudnn.
    """
    cudnn = torch.backends.cudnn.version() if torch.cuda.is_available() else None
    return {
        "ctcasr": _version("ctcasr"),
        "commit": _commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "torch": torch.__version__,
        "torchaudio": _version("torchaudio"),
        "numpy": _version("numpy"),
        "numba": _version("numba"),
        "cuda": torch.version.cuda,
        "cudnn": cudnn,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        match = MODEL.search(info.read_text(errors="replace"))
        if match is not None:
            return match[1].strip()
    if sys.platform == "darwin":
        return _first_line(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor()
    return platform.processor() or "unknown"


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _first_line(["git", "-C", str(root), "rev-parse", "HEAD"])
    changed = _first_line(["git", "-C", str(root), "status", "--porcelain"])
    return f"{commit} with changes" if commit and changed else commit


def _first_line(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    return lines[0].strip() if done.stdout.strip() else None
