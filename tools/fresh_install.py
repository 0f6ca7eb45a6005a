"""Wheel and sdist, installed on bare Pythons outside the checkout, and used as a newcomer would.

python3 tools/fresh_install.py             every Python that is here: those declared, and the next
python3 tools/fresh_install.py 3.13        this one

The oldest one gets the sdist, the others the wheel; each a new environment with the newest packages
that pip finds, and a short training. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "[synth,plot]"
NEXT = ("3.15",)  # not declared before it has been tried
DECLARED = "Programming Language :: Python :: "
STEPS = (  # of README.md, smaller
    "--version",
    "prepare spoken --out tiny --train 32 --test 6",
    "doctor tiny/train.jsonl --against tiny/test.jsonl",
    "train recognise --train tiny/train.jsonl --valid tiny/test.jsonl --out runs/tiny --epochs 2",
    "transcribe runs/tiny/best.pt tiny/test/000032.wav --format srt",
    "evaluate runs/tiny/best.pt tiny/test.jsonl --out scores",
    "doctor --run runs/tiny",
    "runs runs",
)


def main(argv: list[str] | None = None) -> int:
    """0 where every Python that was named, or is here, ran every step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="of Python, as 3.13")
    named = parser.parse_args(argv).versions
    versions = named or [*declared_versions(), *NEXT]
    failed = []
    with tempfile.TemporaryDirectory(prefix="ctcasr-fresh-") as place:
        wheel, sdist = built(Path(place))
        for number, version in enumerate(versions):
            python = interpreter_of(version)
            if python is None:
                print(f"== Python {version}: not here, so not tried", flush=True)
                if named:
                    failed.append(version)
                continue
            package = sdist if number == 0 else wheel
            print(f"== Python {version} ({python}), {package.name}", flush=True)
            folder = Path(place) / version
            if not tried(python, package, folder):
                failed.append(version)
            shutil.rmtree(folder, ignore_errors=True)  # gigabytes
    print(f"failed: {', '.join(failed)}" if failed else "all that is here works")
    return 1 if failed else 0


def declared_versions() -> list[str]:
    """3.11, 3.12 ...: those of the classifiers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(re.escape(DECLARED) + r"(3\.\d+)\"", text)


def interpreter_of(version: str) -> str | None:
    """A Python of this version that runs: on the PATH, or where pyenv and uv keep theirs."""
    for candidate in candidates(version):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            told = subprocess.run(
                [candidate, "-c", code], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):  # a shim of pyenv that leads nowhere
            continue
        if told.stdout.strip() == version:
            return candidate
    return None


def candidates(version: str) -> Iterator[str]:
    """Paths at which it may be."""
    named = shutil.which(f"python{version}")
    if named:
        yield named
    home = Path.home()
    for pattern in (
        f".pyenv/versions/{version}.*/bin/python",
        f".local/share/uv/python/cpython-{version}.*/bin/python",
    ):
        yield from (str(path) for path in sorted(home.glob(pattern)))
    yield sys.executable


def built(place: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of this checkout, built by an environment of their own."""
    venv = place / "build"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = python_of(venv)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "build"], check=True)
    out = place / "dist"
    command = [python, "-m", "build", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist


def tried(python: str, package: Path, folder: Path) -> bool:
    """Install a package into a new environment and take all steps outside the checkout."""
    venv = folder / "venv"
    work = folder / "work"
    work.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = python_of(venv)
    commands = [[python, "-m", "venv", str(venv)]]
    commands.append([program, "-m", "pip", "install", "--quiet", f"{package}{EXTRAS}"])
    commands += [[program, "-m", "ctcasr.cli", *step.split()] for step in STEPS]
    for command in commands:
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        line = " ".join(command[2:]).replace(str(package), package.name)
        doctor_warns = done.returncode == 1 and "doctor tiny/" in line  # few lines may hurt
        if done.returncode and not doctor_warns:
            print(f"{line}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
            return False
        print(f"   {line}", flush=True)
    return True


def python_of(venv: Path) -> str:
    """The interpreter of an environment."""
    return str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


if __name__ == "__main__":
    sys.exit(main())
