"""Weight of the language model and bonus per word, chosen on a dev part by word error rate.

python tools/tune_lm.py runs/mine/best.pt TRAIN.jsonl --dev-share 0.1 --lm lm.arpa \\
    [--lexicon lm] --beam 16

The logits are computed once; every pair of --weights and --bonuses is decoded. Tune on what no
reported number comes from.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from _decode import add_dev_flags, run_network, score

from ctcasr.commands.decoder_flags import (
    add_ensemble_flag,
    ensemble_from,
    hypotheses_wanted,
    lexicon_from,
)
from ctcasr.decoding.decoder import beam_decoder
from ctcasr.run_cli import run_cli
from ctcasr.text import NGram


@dataclass(frozen=True, order=True)
class Tried:
    """One pair, by what decides: word errors, then characters, then the smaller interference."""

    wer: float
    cer: float
    interference: float
    weight: float
    bonus: float


def main(argv: Sequence[str] | None = None) -> int:
    """Decode with every pair; print the table and the flags of the best."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    add_ensemble_flag(parser)
    parser.add_argument("manifest")
    add_dev_flags(parser)
    parser.add_argument("--lm", required=True, metavar="FILE.arpa")
    parser.add_argument(
        "--lexicon", metavar="FILE", help="words, one a line; 'lm': those of the model"
    )
    parser.add_argument("--beam", type=int, default=16)
    parser.add_argument("--weights", default="0,0.25,0.5,1,1.5,2", metavar="X,...")
    parser.add_argument("--bonuses", default="-1,0,1,2", metavar="NATS,...")
    arguments = parser.parse_args(argv)
    weights = numbers_of("--weights", arguments.weights)
    bonuses = numbers_of("--bonuses", arguments.bonuses)

    recogniser = ensemble_from(arguments)
    model = NGram.read(arguments.lm)
    lexicon = lexicon_from(arguments.lexicon, model, recogniser.tokenizer)
    logits = run_network(recogniser, arguments.manifest, arguments.dev_share, arguments.dev_seed)
    print(logits)
    columns = [f"bonus {bonus:g}" for bonus in bonuses]
    table = Table("lm weight", *columns, title="WER %")
    tried = []
    for weight in weights:
        row = []
        for bonus in bonuses:
            decoder = beam_decoder(
                recogniser.tokenizer,
                arguments.beam,
                lm=model,
                lm_weight=weight,
                word_bonus=bonus,
                lexicon=lexicon,
                nbest=hypotheses_wanted(arguments, arguments.beam),
            )
            errors, _ = score(logits, recogniser, decoder)
            wer = errors.words.rate_or(math.inf)
            cer = errors.chars.rate_or(math.inf)
            tried.append(Tried(wer, cer, abs(weight) + abs(bonus), weight, bonus))
            row.append(f"{100 * wer:.2f}")
        table.add_row(f"{weight:g}", *row)
    Console().print(table)
    best = min(tried)
    print(
        f"best: --lm-weight {best.weight:g} --word-bonus {best.bonus:g}: "
        f"WER {100 * best.wer:.2f} %, CER {100 * best.cer:.2f} %"
    )
    return 0


def numbers_of(flag: str, listed: str) -> list[float]:
    """Numbers with commas between; ValueError that names the flag for anything else."""
    try:
        return [float(number) for number in listed.split(",")]
    except ValueError as error:
        raise ValueError(f"{flag}: expected numbers with commas between; got {listed!r}") from error


if __name__ == "__main__":
    sys.exit(run_cli(main))
