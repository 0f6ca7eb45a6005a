"""Learning-rate range test and grids over the settings of recipes/recognise.py.

python tools/study/sweep.py range --train TRAIN.jsonl --out runs/range
    one run in which the rate rises from 1e-6 to 1e-2
python tools/study/sweep.py grid lr=1e-3,3e-3 net=default,report_v_bigru \\
    -- --train TRAIN.jsonl --epochs 10 --out runs/grid
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
sys.path.insert(0, str(Path(__file__).parents[2]))
import recognise

from ctcasr.records import CheckRecord, StepRecord, read_records
from ctcasr.train import World, fit, parse

SMOOTHING = 0.9  # weight of the losses before
SHOWN = 24  # rows of the range test's table
STILL_FALLING = 0.95  # of the steps: a loss that is lowest behind it has not turned yet
BELOW_LOWEST = 3  # the usual choice for the top of one-cycle: a third of the rate of lowest loss


def main(argv: list[str]) -> None:
    """Run what is asked for."""
    if argv[:1] == ["range"]:
        range_test(argv[1:])
    elif argv[:1] == ["grid"] and "--" in argv:
        cut = argv.index("--")
        grid(argv[1:cut], argv[cut + 1 :])
    elif argv in (["-h"], ["--help"]):
        print(__doc__)
    else:
        raise SystemExit(__doc__)


def range_test(flags: list[str]) -> None:
    """Let the learning rate rise until the loss explodes; print the loss over the rate.

    And the highest rate that still helped.
    """
    defaults = ["--epochs", "4", "--lr", "1e-2", "--order", "shuffle"]
    fixed = ["--schedule", "range", "--log-every", "1"]
    settings = parse(recognise.Settings, [*defaults, *flags, *fixed])
    parts = recognise.prepare(settings, World())
    rates = []
    losses = []
    for record in fit(parts.task, parts.train, None, out=settings.out, config=settings):
        if isinstance(record, StepRecord) and record.lr is not None:
            rates.append(record.lr)
            losses.append(math.inf if record.loss is None else record.loss)
    smooth_losses = smoothed(losses)
    table = Table("learning rate", "loss (smoothed)", title="learning-rate range test")
    for step in range(0, len(rates), max(1, len(rates) // SHOWN)):
        table.add_row(f"{rates[step]:.1e}", f"{smooth_losses[step]:.2f}")
    Console().print(table)
    # The loss is lowest where the rate is already too high to go on with.
    lowest = smooth_losses.index(min(smooth_losses))
    if lowest >= STILL_FALLING * len(rates):
        print(
            f"the loss was still falling at the highest rate, {rates[-1]:.1e}: give more --epochs, "
            "or a higher --lr to go up to"
        )
    else:
        rate = rates[lowest]
        print(f"the loss was lowest at {rate:.1e}; try --lr {rate / BELOW_LOWEST:.1e}")


def smoothed(losses: Sequence[float]) -> list[float]:
    """Running means; from the first loss that is not finite on, infinite."""
    smooth = []
    value = losses[0]
    for loss in losses:
        value = SMOOTHING * value + (1 - SMOOTHING) * loss if math.isfinite(loss) else math.inf
        smooth.append(value)
    return smooth


@dataclass(frozen=True, order=True)
class Run:
    """What one combination of settings came to, by its best check."""

    wer: float
    loss: float
    cer: float
    epoch: int
    minutes: float
    values: tuple[str, ...]

    @staticmethod
    def read(folder: Path, values: tuple[str, ...]) -> Run:
        """From the records of a run."""
        records = read_records(folder)
        minutes = records[-1].time_s / 60
        runs = []
        for check in records:
            if isinstance(check, CheckRecord) and "wer" in check.metrics:
                runs.append(
                    Run(
                        wer=check.metrics["wer"],
                        loss=math.inf if check.loss is None else check.loss,
                        cer=check.metrics["cer"],
                        epoch=check.epoch or 0,
                        minutes=minutes,
                        values=values,
                    )
                )
        return min(runs)

    def cells(self) -> list[str]:
        """A row of the table."""
        return [
            *self.values,
            f"{100 * self.wer:.1f}",
            f"{100 * self.cer:.1f}",
            str(self.epoch),
            f"{self.minutes:.1f}",
        ]


def grid(axes: list[str], flags: list[str]) -> None:
    """One run for every combination; a table of dev metrics, best first."""
    base = Path(flags[flags.index("--out") + 1]) if "--out" in flags else Path("runs/sweep")
    values_of: dict[str, list[str]] = {}
    for axis in axes:
        name, _, choices = axis.partition("=")
        values_of[name] = choices.split(",")
    runs = []
    for values in itertools.product(*values_of.values()):
        chosen = dict(zip(values_of, values, strict=True))
        folder = base / folder_name(chosen)
        settings = [*flags, *flags_of(chosen), "--out", str(folder)]
        recognise.main(settings)
        runs.append(Run.read(folder, values))
    columns = ("dev WER %", "dev CER %", "at epoch", "minutes")
    table = Table(*values_of, *columns, title=f"{len(runs)} runs in {base}")
    for run in sorted(runs):
        table.add_row(*run.cells())
    Console().print(table)


def folder_name(chosen: Mapping[str, str]) -> str:
    """Settings as a name: lr=1e-3_net=default."""
    parts = [f"{name}={value}" for name, value in chosen.items()]
    return "_".join(parts).replace("/", "-")


def flags_of(chosen: Mapping[str, str]) -> list[str]:
    """Settings as flags of the recipe."""
    flags = []
    for name, value in chosen.items():
        flags += ["--" + name.replace("_", "-"), value]
    return flags


if __name__ == "__main__":
    main(sys.argv[1:])
