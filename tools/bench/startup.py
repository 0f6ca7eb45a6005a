"""What commands cost before and around their work: processor time and memory of new processes.

    python tools/bench/startup.py CHECKPOINT MANIFEST --rounds 7

Beside them, a process that imports torch and loads the checkpoint's tensors. Medians over
interleaved rounds. Processor time, because on a busy machine the clock tells of others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ctcasr.data import read_manifest

RUN = """
import resource, sys
{body}
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def measured(body: str) -> tuple[float, float]:
    """Processor seconds and peak MiB of a process that does this."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(body=body)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, peak = done.stderr.split()[-2:]
    return float(seconds), float(peak)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("manifest", help="whose first line is heard")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    first = read_manifest(arguments.manifest).utterances[0]
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "one.jsonl"
        line = {"audio_filepath": str(first.audio_filepath), "text": first.text}
        manifest.write_text(json.dumps(line) + "\n", encoding="utf-8")
        commands = {
            "transcribe": ["transcribe", arguments.checkpoint, str(first.audio_filepath)],
            "evaluate": ["evaluate", arguments.checkpoint, str(manifest), "--out", folder],
            "doctor": ["doctor", str(manifest)],
        }
        bodies = {
            "import torch": "import torch",
            "and load": f"import torch; torch.load({arguments.checkpoint!r}, weights_only=True)",
        }
        for name, words in commands.items():
            bodies[name] = f"from ctcasr.cli import main; main({words!r})"
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in bodies}
        for _ in range(arguments.rounds):
            for name, body in bodies.items():
                results[name].append(measured(body))
    bare = statistics.median(seconds for seconds, _ in results["and load"])
    print(f"| | processor s | times torch and load | peak MiB |\n{'|---' * 4}|")
    for name, runs in results.items():
        seconds = statistics.median(run[0] for run in runs)
        peak = statistics.median(run[1] for run in runs)
        print(f"| {name} | {seconds:.2f} | {seconds / bare:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
