"""From nothing to a trained recogniser: speech synthesised by eSpeak NG, the default network, unseen voices as the test.

python recipes/demo.py            (any flag of recipes/recognise.py may follow)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ctcasr.data.synth import SynthSettings, synthesise_corpus
from ctcasr.run_cli import run_cli

sys.path.append(str(Path(__file__).parent))
import recognise


def main(argv: list[str] | None = None) -> None:
    """Synthesise, train, score on voices that were not in training, and show what was heard."""
    argv = sys.argv[1:] if argv is None else argv
    out = Path(argv[argv.index("--out") + 1]) if "--out" in argv else Path("runs/demo")
    settings = SynthSettings()
    print(
        f"synthesising {settings.train} utterances to learn from and {settings.test} by unseen voices (eSpeak NG) ...",
        flush=True,
    )
    train, test = synthesise_corpus(out / "corpus", settings)
    recognise.main(
        ["--train", str(train), "--valid", str(test), "--out", str(out), "--budget", "5m", *argv]
    )

    rows = [
        json.loads(line)
        for line in (out / "valid" / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    print("\nwhat it heard from voices that it had never heard:")
    for row in rows[:: max(1, len(rows) // 6)][:6]:
        print(f"  said   {row['reference']}\n  heard  {row['hypothesis']}\n")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
