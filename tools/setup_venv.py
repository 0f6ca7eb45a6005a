"""What tools/demo.py and tools/test.py share: an interpreter with this project installed.

Standard library only, any Python.
"""

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
REQUIRED = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "soundfile",
    "jiwer",
    "rapidfuzz",
    "sentencepiece",
    "rich",
)
BROUGHT_BY = {
    "synth": ("espeakng_loader",),
    "plot": ("matplotlib",),
    "test": ("pytest", "xdist", "hypothesis", "ruff", "mypy"),
}
CPU_HINT = """\
The default torch wheel for Linux brings several GB of CUDA libraries, and no NVIDIA GPU was found
here. If you have none, stop now (Ctrl-C), install torch from the CPU-only wheels that pytorch.org
offers into an environment of your own, and come back with PYTHON=/path/to/its/python (or point pip
there by its PIP_* variables)."""


def interpreter(*extras: str) -> str:
    """The Python that has this project and its extras.

    PYTHON= where it is set, else .venv, made and filled if need be.
    """
    given = os.environ.get("PYTHON")
    if given:
        return _given(given, extras)
    python = _venv_python()
    stamp = VENV / "ctcasr-installed.json"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    known = _installed_extras(stamp, wanted)
    if known >= set(extras):
        return python
    _pip_install(python, extras)
    notes = {"pyproject": wanted, "extras": sorted(known | set(extras))}
    stamp.write_text(json.dumps(notes), encoding="utf-8")
    return python


def _installed_extras(stamp: Path, wanted: str) -> set[str]:
    """What .venv has for the present pyproject.toml."""
    try:
        installed = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if installed.get("pyproject") != wanted:
        return set()
    extras = set(installed.get("extras", ()))
    if "test" in extras:
        extras |= {"synth", "plot", "video", "onnx"}
    return extras


def run(command: list[str]) -> int:
    """Exit status of a command run from the repository root.

    Ctrl-C is left to the command, which may want to save first.
    """
    # The checkout comes first: an interpreter of PYTHON= may know another copy of the package.
    path = str(ROOT)
    if os.environ.get("PYTHONPATH"):
        path += os.pathsep + os.environ["PYTHONPATH"]
    process = subprocess.Popen(command, cwd=str(ROOT), env={**os.environ, "PYTHONPATH": path})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _given(given: str, extras: tuple[str, ...]) -> str:
    """The interpreter that PYTHON= names, with what is missing installed."""
    program = shutil.which(given)
    if program is None:
        sys.exit(
            f"PYTHON={given}: no such interpreter; give the path of a Python {_dotted(LEAST)} or "
            "newer."
        )
    python = os.path.abspath(program)
    _check_version(python, f"PYTHON={given}")
    modules = list(REQUIRED)
    wanted = set(extras)
    if "test" in wanted:
        wanted |= {"synth", "plot"}
    for extra in sorted(wanted):
        modules += BROUGHT_BY[extra]
    missing = _missing_modules(python, modules)
    if missing:
        print(f"{given} lacks {', '.join(missing)}.", flush=True)
        _pip_install(python, extras)
    return python


def _missing_modules(python: str, modules: list[str]) -> list[str]:
    """Those that an interpreter cannot import."""
    code = (
        "import sys, importlib.util as u; "
        "print(*[m for m in sys.argv[1:] if u.find_spec(m) is None])"
    )
    done = subprocess.run([python, "-c", code, *modules], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split()


def _venv_python() -> str:
    """The interpreter of .venv, which is made where there is none that works."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _works(python):
        _check_version(str(python), str(VENV))
        return str(python)
    version = _dotted(sys.version_info[:2])
    if sys.version_info < LEAST:
        sys.exit(
            f"Python {_dotted(LEAST)} or newer is needed; {sys.executable} is {version}. Run this "
            f"with a newer one (python3.12 {sys.argv[0]}), or name an environment that you have: "
            "PYTHON=/path/to/python."
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"{sys.executable} has no venv and ensurepip. On Debian and Ubuntu: sudo apt install "
            f"python{version}-venv. Or name an environment that you have: PYTHON=/path/to/python."
        )
    print(f"Making {VENV}", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]) or not _works(python):
        sys.exit(
            f"Could not make {VENV}: see above (no room, no right to write?). Delete it and run "
            "this again."
        )
    return str(python)


def _works(python: Path) -> bool:
    """Is this an interpreter with pip?"""
    if not python.exists():
        return False
    command = [str(python), "-m", "pip", "--version"]
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL) == 0
    except OSError:
        return False


def _check_version(python: str, name: str) -> None:
    code = "import sys; print(*sys.version_info[:2])"
    try:
        numbers = subprocess.check_output([python, "-c", code]).split()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{name} is not a Python that runs: {error}")
    version = tuple(int(number) for number in numbers)
    if version < LEAST:
        sys.exit(f"{name} is Python {_dotted(version)}; {_dotted(LEAST)} or newer is needed.")


def _pip_install(python: str, extras: tuple[str, ...]) -> None:
    what = f".[{','.join(extras)}]"
    no_gpu = sys.platform.startswith("linux") and shutil.which("nvidia-smi") is None
    if no_gpu and _missing_modules(python, ["torch"]):
        print(CPU_HINT, flush=True)
    print(f"Installing {what} into {python} (minutes the first time)", flush=True)
    status = subprocess.call([python, "-m", "pip", "install", "--quiet", "-e", what], cwd=str(ROOT))
    if status:
        sys.exit(
            f"pip failed with status {status}; its message is above. Usual causes: no network, a "
            "full disk, or a Python too new for a wheel to exist. Try it by hand from "
            f"{ROOT}: {python} -m pip install -e '{what}'"
        )
    _compile_kernels(python)


def _compile_kernels(python: str) -> None:
    """Compile the loss's CPU kernels now, so that no first step has to wait for it.

    A failure is not told here: whoever needs the kernels compiles them, and says what is wrong.
    """
    print("Compiling the kernels of the loss (half a minute, once)", flush=True)
    subprocess.call([python, "-m", "ctcasr.ctc.compile"], cwd=str(ROOT), stdout=subprocess.DEVNULL)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
