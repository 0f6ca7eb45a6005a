"""What tools/demo.py and tools/test.py share: an interpreter with this project installed. Standard library only, any Python."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LEAST = (3, 11)
REQUIRED = ("torch", "torchaudio", "numpy", "numba", "soundfile", "jiwer", "sentencepiece", "rich")
BROUGHT_BY = {
    "synth": ("espeakng_loader",),
    "plot": ("matplotlib",),
    "test": ("pytest", "hypothesis", "ruff", "mypy"),
}
CPU_HINT = """\
The default torch wheel for Linux brings several GB of CUDA libraries, and no NVIDIA GPU was found here. If you have none,
stop now (Ctrl-C), install torch 2.12 and torchaudio 2.11 from the CPU-only wheels that pytorch.org offers into an
environment of your own, and come back with PYTHON=/path/to/its/python (or point pip there by its PIP_* variables)."""


def interpreter(*extras: str) -> str:
    """The Python that has this project and its extras: PYTHON= where it is set, else .venv, made and filled if need be."""
    given = os.environ.get("PYTHON")
    if given:
        return _given(given, extras)
    python = _venv_python()
    stamp, wanted = (
        VENV / "ctcasr-installed.json",
        hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
    )
    try:
        installed = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        installed = {}
    known = set(installed.get("extras", ())) if installed.get("pyproject") == wanted else set()
    if "test" in known:
        known |= {"synth", "plot", "video", "onnx"}
    if known >= set(extras):
        return python
    _pip_install(python, extras)
    stamp.write_text(
        json.dumps({"pyproject": wanted, "extras": sorted(known | set(extras))}), encoding="utf-8"
    )
    return python


def run(command: list[str]) -> int:
    """Exit status of a command run from the repository root; Ctrl-C is left to the command, which may want to save first."""
    # The checkout comes first on the path: an interpreter given by PYTHON= may know another copy of the package.
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(command, cwd=str(ROOT), env={**os.environ, "PYTHONPATH": path})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _given(given: str, extras: tuple[str, ...]) -> str:
    found = shutil.which(given)
    if found is None:
        sys.exit(
            f"PYTHON={given}: no such interpreter; give the path of a Python {_dotted(LEAST)} or newer."
        )
    python = os.path.abspath(found)
    _check_version(python, f"PYTHON={given}")
    every = {*extras, *(("synth", "plot") if "test" in extras else ())}
    modules = [*REQUIRED, *(module for extra in sorted(every) for module in BROUGHT_BY[extra])]
    probe = "import sys, importlib.util as u; print(*[m for m in sys.argv[1:] if u.find_spec(m) is None])"
    missing = (
        subprocess.run([python, "-c", probe, *modules], stdout=subprocess.PIPE, check=True)
        .stdout.decode()
        .split()
    )
    if missing:
        print(f"{given} lacks {', '.join(missing)}.", flush=True)
        _pip_install(python, extras)
    return python


def _venv_python() -> str:
    """The interpreter of .venv, which is made where there is none that works."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _works(python):
        _check_version(str(python), str(VENV))
        return str(python)
    if sys.version_info < LEAST:
        sys.exit(
            f"Python {_dotted(LEAST)} or newer is needed; {sys.executable} is {_dotted(sys.version_info[:2])}. Run this with a "
            f"newer one (python3.12 {sys.argv[0]}), or name an environment that you have: PYTHON=/path/to/python."
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"{sys.executable} has no venv and ensurepip. On Debian and Ubuntu: sudo apt install "
            f"python{_dotted(sys.version_info[:2])}-venv. Or name an environment that you have: PYTHON=/path/to/python."
        )
    print(f"Making {VENV}", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]) or not _works(python):
        sys.exit(
            f"Could not make {VENV}: see above (no room, no right to write?). Delete it and run this again."
        )
    return str(python)


def _works(python: Path) -> bool:
    """Is this an interpreter with pip?"""
    try:
        return (
            python.exists()
            and subprocess.call([str(python), "-m", "pip", "--version"], stdout=subprocess.DEVNULL)
            == 0
        )
    except OSError:
        return False


def _check_version(python: str, name: str) -> None:
    code = "import sys; print(*sys.version_info[:2])"
    try:
        version = tuple(int(part) for part in subprocess.check_output([python, "-c", code]).split())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{name} is not a Python that runs: {error}")
    if version < LEAST:
        sys.exit(f"{name} is Python {_dotted(version)}; {_dotted(LEAST)} or newer is needed.")


def _pip_install(python: str, extras: tuple[str, ...]) -> None:
    what = f".[{','.join(extras)}]"
    if (
        sys.platform.startswith("linux")
        and shutil.which("nvidia-smi") is None
        and not _has_torch(python)
    ):
        print(CPU_HINT, flush=True)
    print(f"Installing {what} into {python} (minutes the first time)", flush=True)
    status = subprocess.call([python, "-m", "pip", "install", "--quiet", "-e", what], cwd=str(ROOT))
    if status:
        sys.exit(
            f"pip failed with status {status}; its message is above. Usual causes: no network, a full disk, or a Python too new for "
            f"a wheel to exist. Try it by hand from {ROOT}: {python} -m pip install -e '{what}'"
        )


def _has_torch(python: str) -> bool:
    return (
        subprocess.call(
            [
                python,
                "-c",
                "import sys, importlib.util as u; sys.exit(u.find_spec('torch') is None)",
            ]
        )
        == 0
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
