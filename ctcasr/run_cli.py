"""What every entry point shares: errors as sentences, exit statuses, the road of all recipes."""

from __future__ import annotations

import io
import os
import select
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ctcasr.kernels.heap import settle_heap, settle_pages
from ctcasr.kernels.primitives import settle_primitives

if TYPE_CHECKING:
    from ctcasr.train import RunSettings, World
    from ctcasr.train.parts import Parts

# The exit statuses, which docs/cli.md explains.
DONE = 0
FAILED = 1
WRONG_CALL = 2  # argparse's, for flags that do not exist
INTERRUPTED = 130  # as shells say of a program that Ctrl-C has ended
PIPE_CLOSED = 141  # as shells say of a program whose reader has gone: `... | head`

_OWN_FOLDER = Path(__file__).resolve().parent
_FORMAT_WARNING = warnings.formatwarning


def run_cli(work: Callable[[], int | None]) -> int:
    """Exit status of `work`; an error is told in a sentence.

    CTCASR_TRACEBACK=1 in the environment shows where it arose.

    Example:
        >>> run_cli(lambda: None)
        0
    """
    allow_any_text()
    settle_primitives()
    settle_pages()
    settle_heap()
    warnings.formatwarning = _as_sentence
    try:
        status = work() or DONE
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return PIPE_CLOSED
        if os.environ.get("CTCASR_TRACEBACK"):
            raise
        print(f"ctcasr: {str(error) or 'out of memory'}", file=sys.stderr)
        return FAILED


def _as_sentence(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Our own warnings without the line of code that gave them; those of others as they are."""
    if _OWN_FOLDER in Path(filename).parents:
        return f"ctcasr: {message}\n"
    return _FORMAT_WARNING(message, category, filename, lineno, line)


def allow_any_text() -> None:
    """Let standard output and error take any language, whatever the system's code page.

    Pipes and files get UTF-8, unless PYTHONIOENCODING says otherwise. What an encoding cannot write
    stands there as \\u3042.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):  # a notebook's, or a test's
            continue
        if not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
            stream.reconfigure(encoding="utf-8")
        stream.reconfigure(errors="backslashreplace")


def _nobody_reads() -> bool:
    """Whether it is standard output whose reader has gone; then nothing is written any more."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):  # no file: a notebook's, or a test's
        return False
    if hasattr(select, "poll"):  # not on Windows
        poll = select.poll()
        poll.register(output, 0)
        closed = any(event & select.POLLERR for _, event in poll.poll(0))
        if not closed:
            return False
    # Python writes what is left at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def run_training(recipe: str, settings: RunSettings, parts: Parts, world: World) -> None:
    """Train what a recipe has prepared, and show it: the road that all recipes share.

    Every process of `world` calls this. The run folder `settings.out` gets settings.toml, and what
    `fit` writes; checkpoints say what was learnt from. Raises as `fit` and `begin_network` do.
    """
    # Imported here, so that `ctcasr --help` waits for no torch.
    from ctcasr.ctc.backends import prefer
    from ctcasr.train import pick_device

    _refuse_other_kernel(settings.ctc_backend, pick_device(settings.device).type)
    with prefer(settings.ctc_backend):
        _train(recipe, settings, parts, world)


def _refuse_other_kernel(backend: str, device: str) -> None:
    """ValueError for a kernel of a device that does not train."""
    if backend in ("cpu", "cuda") and backend != device:
        raise ValueError(
            f"--ctc-backend {backend} is the kernel of another device: expected {device} (which "
            f"trains; --device chooses it), torch or auto"
        )


def _train(recipe: str, settings: RunSettings, parts: Parts, world: World) -> None:
    """The road itself."""
    from ctcasr.kernels.governor import governor_of_torch
    from ctcasr.show import watch
    from ctcasr.train import fit, measure_pace, pick_device, run_notes, write_settings
    from ctcasr.train.parts import begin_network, choose_workers, resumes

    out = Path(settings.out)
    resume = resumes(settings, world)
    for line in begin_network(parts, settings, resume, world):
        print(line)
    parts.task.notes.update(run_notes(recipe, settings, parts.heard, **parts.notes))
    pace = measure_pace(parts.task, parts.train, pick_device(settings.device), settings.bf16)
    parts.train.workers = choose_workers(settings.workers, parts.train, pace)
    records = fit(
        parts.task,
        parts.train,
        parts.dev,
        out=out,
        config=settings,
        resume=resume,
        world=world,
        pace=pace,
        governor=governor_of_torch() if world.size == 1 else None,
    )
    for count, _ in enumerate(watch(records)):
        if count == 0:  # the run has begun: a folder that was refused keeps the settings it has
            write_settings(settings, out)
