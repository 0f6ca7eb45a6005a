"""What `tools/study/star.py` printed, as a table and a picture: medians and ranges over seeds.

python tools/study/star_table.py runs/star.jsonl --picture docs/pictures/star.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.show.units import percent

_INCHES = (5.5, 3.4)
_COLOURS = ("#b03a2e", "#1f618d", "#1e8449", "#7d3c98")


@dataclass
class Arm:
    """Error rates of one way to train, by the share of wrong words."""

    name: str
    rates: dict[float, list[float]] = field(default_factory=dict)

    def add(self, share: float, rate: float) -> None:
        """One more seed."""
        self.rates.setdefault(share, []).append(rate)

    @property
    def shares(self) -> list[float]:
        """Shares that were tried, the lowest first."""
        return sorted(self.rates)


def main() -> None:
    """Read, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path, help="lines of JSON")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    lines: list[str] = []
    for path in arguments.results:
        lines += path.read_text(encoding="utf-8").splitlines()
    arms = arms_of(json.loads(line) for line in lines)
    print("\n".join(table(arms)))
    if arguments.picture:
        draw(arms, arguments.picture)
        print(arguments.picture)


def arms_of(results: Iterable[dict[str, Any]]) -> list[Arm]:
    """One arm for each star, and for audited or doubted texts; plain CTC first.

    Example:
        >>> one = {"star": "", "words": 0.5, "wer": 0.4}
        >>> arms_of([one, one | {"wer": 0.6}, one | {"star": "1,2"}])[0].rates
        {0.5: [0.4, 0.6]}
    """
    arms: dict[str, Arm] = {}
    for result in results:
        how = []
        if result.get("audit"):
            how.append(f"--audit {result['audit']} --rounds {result['rounds']}")
        if result["star"]:
            how.append(f"--star {result['star']}")
        if result.get("doubt"):
            how.append("--doubt")
        name = " ".join(how)
        arm = arms.setdefault(name, Arm(name or "plain CTC"))
        arm.add(result["words"], result["wer"])
    return [arms[name] for name in sorted(arms)]


def table(arms: Sequence[Arm]) -> list[str]:
    """Lines of Markdown: a row for each arm, a column for each share."""
    shares = sorted({share for arm in arms for share in arm.shares})
    heads = [f"{percent(share)} wrong" for share in shares]
    rows = [row(["WER", *heads]), row(["---"] * (len(shares) + 1))]
    for arm in arms:
        cells = [told(arm.rates.get(share, [])) for share in shares]
        rows.append(row([arm.name, *cells]))
    return rows


def row(cells: Sequence[str]) -> str:
    """One row of Markdown."""
    return f"| {' | '.join(cells)} |"


def told(rates: Sequence[float]) -> str:
    """The median, and the range of several seeds.

    Example:
        >>> told([0.25, 0.5, 0.375]), told([0.5])
        ('37.5 % (25.0 to 50.0)', '50.0 %')
    """
    if not rates:
        return "not measured"
    middle = f"{100 * median(rates):.1f} %"
    if len(rates) == 1:
        return middle
    return f"{middle} ({100 * min(rates):.1f} to {100 * max(rates):.1f})"


def draw(arms: Sequence[Arm], path: Path) -> None:
    """Medians over the share of wrong words; bars from the best seed to the worst."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ctcasr"  # the same picture each time
    matplotlib.rcParams["svg.fonttype"] = "none"  # in the reader's own letters
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=_INCHES)
    for arm, colour in zip(arms, _COLOURS, strict=False):
        middles = [100 * median(arm.rates[share]) for share in arm.shares]
        below = []
        above = []
        for share, middle in zip(arm.shares, middles, strict=True):
            below.append(middle - 100 * min(arm.rates[share]))
            above.append(100 * max(arm.rates[share]) - middle)
        axes.errorbar(
            [100 * share for share in arm.shares],
            middles,
            yerr=[below, above],
            marker="o",
            capsize=3,
            color=colour,
            label=arm.name,
        )
    axes.set_xlabel("wrong words in the training transcripts, %")
    axes.set_ylabel("WER on clean sentences, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
