"""Learning-rate range test and grids over the settings of recipes/recognise.py.

python tools/sweep.py range --train TRAIN.jsonl --out runs/range                   one run in which the rate rises from 1e-6 to 1e-2
python tools/sweep.py grid lr=1e-3,3e-3 net=default,report_v_bigru -- --train TRAIN.jsonl --epochs 10 --out runs/grid
"""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "recipes")]
import recognise  # noqa: E402

from ctcasr.records import read_records
from ctcasr.train import fit, parse


def main(argv: list[str]) -> None:
    """Run what is asked for."""
    if argv[:1] == ["range"]:
        range_test(argv[1:])
    elif argv[:1] == ["grid"] and "--" in argv:
        cut = argv.index("--")
        grid(argv[1:cut], argv[cut + 1 :])
    else:
        raise SystemExit(__doc__)


def range_test(flags: list[str]) -> None:
    """Let the learning rate rise until the loss explodes; print the loss over the rate and the highest rate that still helped."""
    fixed = ["--schedule", "range", "--log-every", "1"]
    s = parse(
        recognise.Settings, ["--epochs", "4", "--lr", "1e-2", "--order", "shuffle", *flags, *fixed]
    )
    task, loader, _ = recognise.prepare(s)
    rates, losses = [], []
    for record in fit(task, loader, None, out=s.out, config=s):
        if record.kind == "step":
            rates.append(record.data["lr"])
            losses.append(float(record.data["loss"]))
    smooth, value = [], losses[0]
    for loss in losses:
        value = 0.9 * value + 0.1 * loss if math.isfinite(loss) else math.inf
        smooth.append(value)
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    table = Table("learning rate", "loss (smoothed)", title="learning-rate range test")
    for index in range(0, len(rates), max(1, len(rates) // 24)):
        table.add_row(f"{rates[index]:.1e}", f"{smooth[index]:.2f}")
    Console().print(table)
    # The loss is lowest where the rate is already too high to go on with; a third of it is the usual choice for the top of one-cycle.
    if lowest >= 0.95 * len(rates):
        print(
            f"the loss was still falling at the highest rate, {rates[-1]:.1e}: give more --epochs, or a higher --lr to go up to"
        )
    else:
        print(f"the loss was lowest at {rates[lowest]:.1e}; try --lr {rates[lowest] / 3:.1e}")


def grid(axes: list[str], flags: list[str]) -> None:
    """One run for every combination; a table of dev figures, best first."""
    base = Path(flags[flags.index("--out") + 1]) if "--out" in flags else Path("runs/sweep")
    names = [axis.split("=", 1)[0] for axis in axes]
    rows: list[tuple[float, list[str]]] = []
    for values in itertools.product(*(axis.split("=", 1)[1].split(",") for axis in axes)):
        chosen = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        out = base / "_".join(c.replace("/", "-") for c in chosen)
        settings = [
            part
            for name, value in zip(names, values, strict=True)
            for part in ("--" + name.replace("_", "-"), value)
        ]
        recognise.main([*flags, *settings, "--out", str(out)])
        rows.append(_row(out, list(values)))
    table = Table(
        *names, "dev WER %", "dev CER %", "at epoch", "minutes", title=f"{len(rows)} runs in {base}"
    )
    for _, row in sorted(rows):
        table.add_row(*row)
    Console().print(table)


def _row(out: Path, values: list[str]) -> tuple[float, list[str]]:
    records = read_records(out)
    best = min(
        (r.data for r in records if r.kind == "check"),
        key=lambda data: (float(data["wer"]), float(data["loss"])),
    )
    return float(best["wer"]), [
        *values,
        f"{100 * best['wer']:.1f}",
        f"{100 * best['cer']:.1f}",
        str(best["epoch"]),
        f"{records[-1].data['time_s'] / 60:.1f}",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
