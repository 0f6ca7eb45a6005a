"""The pictures of the README, from the records of a real run: the live view and the run page.

python tools/pictures.py                       (the page needs Chromium; without it, the view alone)
python tools/pictures.py --thin runs/grid      (first stores the records of another run)
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from ctcasr.records import Record, read_records
from ctcasr.show import write_page
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import screen

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
RECORDS = "grid.jsonl.gz"
VIEW_SVG = "live.svg"
PAGE_PNG = "run_page.png"
STEP = 1170  # at which the live view is drawn: in the middle of the run
COLUMNS = 100
PAGE_PIXELS = (1100, 1000)
HEARD = ("own", "other", "deaf")  # losses by own sound, by another's, by none
SAMPLED = 6  # checks that keep their samples in the smaller records


def main() -> None:
    """Draw, and say what was drawn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--thin", metavar="RUN", type=Path, help="take the records of this run")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.thin:
        lines = (arguments.thin / "records.jsonl").read_text(encoding="utf-8").splitlines()
        write_thin(lines, PICTURES / RECORDS)
    with tempfile.TemporaryDirectory() as place:
        run = unpacked(PICTURES / RECORDS, Path(place) / "grid")
        svg = live_view(read_records(run), STEP)
        (arguments.out / VIEW_SVG).write_text(svg, encoding="utf-8", newline="\n")
        print(arguments.out / VIEW_SVG)
        if photograph(write_page(run), arguments.out / PAGE_PNG):
            print(arguments.out / PAGE_PNG)


def write_thin(lines: Iterable[str], path: Path) -> None:
    """Records without what neither picture shows: most evidence, and samples of most checks."""
    records = [json.loads(line) for line in lines]
    checks = [record for record in records if record["kind"] == "check"]
    shown = {record["step"] for record in checks if record["step"] <= STEP}
    sampled = {*sorted(shown)[-1:], *(record["step"] for record in checks[-SAMPLED:])}
    thin: list[dict[str, Any]] = []
    for record in records:
        heard = record.pop("evidence", {}).get("dev", {})
        if record["kind"] == "check":
            record["evidence"] = {"dev": {name: heard[name] for name in HEARD if name in heard}}
        if record["step"] not in sampled:
            record.pop("samples", None)
        thin.append(record)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in thin)
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))


def unpacked(path: Path, run: Path) -> Path:
    """A run folder with these records."""
    run.mkdir(parents=True)
    (run / "records.jsonl").write_bytes(gzip.decompress(path.read_bytes()))
    return run


def live_view(records: Iterable[Record], step: int) -> str:
    """What the terminal shows of a run after so many steps, as SVG."""
    view = RunView.of(record for record in records if record.step <= step)
    console = Console(
        file=io.StringIO(),
        record=True,
        width=COLUMNS,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(screen(view, COLUMNS))
    svg = console.export_svg(title="ctcasr train recognise", unique_id="ctcasr")
    # Rich names a font on a server; the reader's own will do.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def photograph(page: Path, picture: Path) -> bool:
    """The upper part of a page as a PNG; False without a Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        return False
    width, height = PAGE_PIXELS
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}"]
    command += ["--blink-settings=preferredColorScheme=1", "--virtual-time-budget=5000"]
    command += [f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return True


if __name__ == "__main__":
    main()
