"""The tutorial and the README's first recogniser, command after command, as a reader types them.

Trainings are made short: what is tried is that each step finds what the one before has left.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|python)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SMALLER = {  # what a reader types -> what is typed here
    "--train 800": "--train 24 --test 6",
    "spoken --out tiny": "spoken --out tiny --train 24 --test 6",
    "--budget 5m": "--epochs 1",
    "--epochs 40": "--epochs 2",
    "--epochs 4": "--epochs 2",
    "000800.wav": "000024.wav",
    "000400.wav": "000024.wav",
    "000401.wav": "000025.wav",
}
STATUSES = {"doctor": {0, 1}}  # so few lines may hurt, and the doctor says so


def blocks_of(text: str) -> list[tuple[str, str]]:
    """(language, code) of the blocks, in order."""
    return BLOCK.findall(text)


def typed(code: str) -> str:
    for whole, small in SMALLER.items():
        code = code.replace(whole, small)
    return code


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def run_line(line: str, folder: Path) -> None:
    """A line of shell: our program, with * resolved as a shell does."""
    words = shlex.split(line, comments=True)
    if words[0] != "ctcasr":
        return
    expanded = []
    for word in words[1:]:
        expanded += sorted(str(path) for path in folder.glob(word)) if "*" in word else [word]
    done = run([sys.executable, "-m", "ctcasr.cli", *expanded], folder)
    allowed = STATUSES.get(words[1], {0})
    assert done.returncode in allowed, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def run_blocks(blocks: list[tuple[str, str]], folder: Path) -> None:
    for language, code in blocks:
        if language == "python":
            done = run([sys.executable, "-c", typed(code)], folder)
            assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"
            continue
        for line in code.replace("\\\n", " ").splitlines():
            if line.strip():
                run_line(typed(line), folder)


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    blocks = blocks_of((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 10
    run_blocks(blocks, tmp_path)
    assert (tmp_path / "runs/first/doctor.html").is_file()
    assert "rate" in (tmp_path / "runs/broken/doctor.html").read_text(encoding="utf-8")
    assert (tmp_path / "compared/page.html").is_file()
    assert (tmp_path / "own/test.jsonl").is_file()


@pytest.mark.slow
def test_the_readme_runs_from_the_first_recogniser_to_the_doctor(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("## A first recogniser")
    part, _, _ = rest.partition("## In anybody's training loop")
    blocks = blocks_of(part)
    assert len(blocks) == 5
    run_blocks(blocks, tmp_path)
    assert (tmp_path / "runs/tiny/doctor.html").is_file()
    assert (tmp_path / "runs/mine/doctor.html").is_file()
    assert (tmp_path / "scores/scores.json").is_file()
