"""docs/slurm.sbatch with stand-ins for Slurm: what it starts, and what a signal makes of it.

A signal before the limit stops, waits and queues again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "slurm.sbatch"
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
STANDINS = {
    "scontrol": 'if [ "$1" = show ]; then printf "host1\\nhost2\\n"; '
    'else echo "$@" >> "$HERE/told.scontrol"; fi',
    "scancel": 'echo "$@" >> "$HERE/told.scancel"; kill -TERM "$(cat "$HERE/pid")"',
    "srun": 'echo "$@" > "$HERE/told.srun"; '
    'trap \'echo stopped >> "$HERE/told.scontrol"; exit 1\' TERM; echo $$ > "$HERE/pid"; '
    'for k in $(seq "$WORK"); do sleep 0.05; done; exit "$CODE"',
}


def start(folder: Path, work: int, code: int) -> subprocess.Popen[bytes]:
    for name, body in STANDINS.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "HERE": str(folder),
        "WORK": str(work),
        "CODE": str(code),
        "SLURM_JOB_ID": "42",
        "SLURM_JOB_NODELIST": "host[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_ON_NODE": "4",
    }
    return subprocess.Popen(
        ["bash", str(SCRIPT), "--train", "a b.jsonl", "--out", "runs/x"], env=env
    )


@pytest.mark.parametrize("code", [0, 3])
def test_without_a_signal_it_ends_as_the_training_does(code: int, tmp_path: Path) -> None:
    assert start(tmp_path, 1, code).wait(timeout=60) == code
    command = (tmp_path / "told.srun").read_text(encoding="utf-8")
    assert (
        "torchrun --nnodes 2 --nproc-per-node 4" in command
        and "--rdzv-endpoint host1:29500" in command
    )
    assert "recipes/recognise.py --train a b.jsonl --out runs/x --auto-resume" in command
    assert not (tmp_path / "told.scontrol").exists() and not (tmp_path / "told.scancel").exists()


def test_before_the_limit_it_stops_waits_and_queues_again(tmp_path: Path) -> None:
    job = start(tmp_path, 2000, 0)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text(encoding="utf-8"):
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=60) == 0
    assert (tmp_path / "told.scancel").read_text(encoding="utf-8").split() == [
        "--signal=TERM",
        "42.0",
    ]
    assert (tmp_path / "told.scontrol").read_text(encoding="utf-8").splitlines() == [
        "stopped",
        "requeue 42",
    ]
