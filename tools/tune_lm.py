"""Weight of the language model and bonus per word, chosen on a dev part by word error rate.

python tools/tune_lm.py runs/mine/best.pt TRAIN.jsonl --dev-share 0.1 --lm lm.arpa [--lexicon lm] --beam 16

The logits are computed once; every pair of --weights and --bonuses is decoded. Tune on what no reported figure comes from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from _decode import hear, score  # noqa: E402

from ctcasr.commands.decoder_flags import add_ensemble_flag, lexicon_from
from ctcasr.recognise.decoder import beam_decoder
from ctcasr.recognise.ensemble import NBEST, Ensemble
from ctcasr.text import NGram  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Decode with every pair; print the table and the flags of the best."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    add_ensemble_flag(parser)
    parser.add_argument("manifest")
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.0,
        metavar="X",
        help="only what a recipe with this share and --dev-seed holds out",
    )
    parser.add_argument("--dev-seed", type=int, default=0, metavar="N")
    parser.add_argument("--lm", required=True, metavar="FILE.arpa")
    parser.add_argument(
        "--lexicon", metavar="FILE", help="words, one a line; 'lm': those of the model"
    )
    parser.add_argument("--beam", type=int, default=16)
    parser.add_argument("--weights", default="0,0.25,0.5,1,1.5,2", metavar="X,...")
    parser.add_argument("--bonuses", default="-1,0,1,2", metavar="NATS,...")
    args = parser.parse_args(argv)

    recogniser, nbest = Ensemble.read(args.checkpoint, args.ensemble), NBEST if args.ensemble else 1
    model = NGram.read(args.lm)
    lexicon = lexicon_from(args.lexicon, model, recogniser.tokenizer)
    heard = hear(recogniser, args.manifest, args.dev_share, args.dev_seed)
    bonuses = [float(b) for b in args.bonuses.split(",")]
    table = Table(
        "lm weight",
        *(f"bonus {bonus:g}" for bonus in bonuses),
        title=f"WER % ({heard.audio_s:.0f} s of audio)",
    )
    found: list[tuple[float, float, float, float, float]] = []
    for weight in (float(w) for w in args.weights.split(",")):
        row = []
        for bonus in bonuses:
            decoder = beam_decoder(
                recogniser.tokenizer,
                args.beam,
                lm=model,
                lm_weight=weight,
                word_bonus=bonus,
                lexicon=lexicon,
                nbest=nbest,
            )
            errors, _ = score(heard, recogniser, decoder)
            # Where word errors are equal, characters decide, then the smaller interference.
            found.append(
                (errors.words.rate, errors.chars.rate, abs(weight) + abs(bonus), weight, bonus)
            )
            row.append(f"{100 * errors.words.rate:.2f}")
        table.add_row(f"{weight:g}", *row)
    Console().print(table)
    wer, cer, _, weight, bonus = min(found)
    print(
        f"best: --lm-weight {weight:g} --word-bonus {bonus:g}: WER {100 * wer:.2f} %, CER {100 * cer:.2f} %"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
