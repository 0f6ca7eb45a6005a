"""Plant wrong words or swapped lines, doubt the texts, and count what is doubted rightly.

python tools/study/doubted.py MANIFEST --substitute 0.05 --delete 0.03 --insert 0.02
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.data import read_manifest
from ctcasr.text import make_tokenizer
from ctcasr.word_times import believed_texts
from tools.study.mislabel import Shares, plant

_RATE_HZ = 16000


def main() -> None:
    """Plant, doubt, count; a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    for kind in ("substitute", "delete", "insert", "swap"):
        parser.add_argument(f"--{kind}", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    shares = Shares(
        substitute=arguments.substitute,
        delete=arguments.delete,
        insert=arguments.insert,
        swap=arguments.swap,
    )
    planted, truths = plant(read_manifest(arguments.manifest).utterances, shares, arguments.seed)
    begun_s = time.process_time()
    believed = believed_texts(planted, make_tokenizer("english38", []), _RATE_HZ)
    doubted_s = time.process_time() - begun_s
    rightly = sum(truths[number].kind != "right" for number in believed.doubted)
    counts = {
        "manifest": Path(arguments.manifest).parent.name,
        **{name: share for name, share in asdict(shares).items() if share},
        "seed": arguments.seed,
        "lines": len(planted),
        "wrong_lines": sum(truth.kind != "right" for truth in truths),
        "doubted_lines": len(believed.doubted),
        "of_them_wrong": rightly,
        "words": believed.words,
        "doubted_words": believed.changed,
        "processor_s": round(doubted_s, 1),
    }
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
