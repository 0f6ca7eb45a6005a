"""From nothing to a trained recogniser: synthetic speech, the default network, unseen voices.

The speech is eSpeak NG's.

python recipes/demo.py            (any flag of recipes/recognise.py may follow)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ctcasr.data.synth import SynthSettings, synthesise_corpus
from ctcasr.run_cli import run_cli
from ctcasr.train import World

sys.path.append(str(Path(__file__).parent))
import recognise

SHOWN = 6  # test utterances that are shown at the end
BUDGET = "5m"


def main(argv: list[str] | None = None) -> None:
    """Synthesise, train, score on voices that were not in training, and show what was heard."""
    if World.expected():
        raise ValueError("the demo makes its corpus and trains in one process: start it alone")
    argv = separated(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(argv):
        print(f"{__doc__}\nFlags, of which the demo sets --train, --valid, --budget {BUDGET}:\n")
        recognise.main(["--help"])
    if not any(flag.startswith("--epochs") for flag in argv):
        argv = ["--budget", BUDGET, *argv]
    if not {"--resume", "--overwrite"} & set(argv):
        argv = ["--auto-resume", *argv]  # called again, it goes on, or shows what came of it
    out = Path("runs/demo")
    if "--out" in argv:
        out = Path(argv[argv.index("--out") + 1])
    settings = SynthSettings()
    print(
        f"synthesising {settings.train} utterances to learn from and {settings.test} by unseen "
        "voices (eSpeak NG) ...",
        flush=True,
    )
    train, test = synthesise_corpus(out / "corpus", settings)
    parts = ["--train", str(train), "--valid", str(test), "--out", str(out)]
    recognise.main([*parts, *argv])
    show_hypotheses(out / "valid" / "hypotheses.jsonl")


def separated(argv: list[str]) -> list[str]:
    """Flags and their values as words of their own: --out=runs/x as --out runs/x."""
    words: list[str] = []
    for word in argv:
        words += word.split("=", 1) if word.startswith("--") else [word]
    return words


def show_hypotheses(path: Path) -> None:
    """A few references with what was heard, spread over the test part."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    print("\nwhat it heard from voices that it had never heard:")
    for row in rows[:: max(1, len(rows) // SHOWN)][:SHOWN]:
        print(f"  said   {row['reference']}\n  heard  {row['hypothesis']}\n")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
