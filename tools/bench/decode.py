"""Greedy, beam, beam with a language model, beam with a lexicon: error rates and decoding seconds per audio second, in one table.

python tools/bench/decode.py runs/mine/best.pt VALID.jsonl --lm lm.arpa --lm-weight 0.5 --word-bonus 0 --beam 16

Network and decoder are timed apart, on the CPU, one process; the flashlight decoder joins where it is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
from _decode import hear, score  # noqa: E402

from ctcasr.commands.decoder_flags import add_ensemble_flag, lexicon_from
from ctcasr.recognise.decoder import Decoder, FlashlightDecoder, beam_decoder
from ctcasr.recognise.ensemble import NBEST, Ensemble
from ctcasr.text import NGram  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
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
    parser.add_argument("--lm", metavar="FILE.arpa")
    parser.add_argument("--lm-weight", type=float, default=0.5)
    parser.add_argument("--word-bonus", type=float, default=0.0)
    parser.add_argument(
        "--lexicon", metavar="FILE", help="words, one a line (default: those of the model)"
    )
    parser.add_argument("--beam", type=int, default=16)
    parser.add_argument(
        "--skip-blank",
        type=float,
        default=0.99,
        metavar="P",
        help="for the row that skips blank frames (default: 0.99)",
    )
    args = parser.parse_args(argv)

    recogniser, nbest = Ensemble.read(args.checkpoint, args.ensemble), NBEST if args.ensemble else 1
    tokenizer, beam = recogniser.tokenizer, args.beam
    model = NGram.read(args.lm) if args.lm else None
    lexicon = lexicon_from(args.lexicon or ("lm" if model else None), model, tokenizer)
    known = {
        "lm": model,
        "lm_weight": args.lm_weight,
        "word_bonus": args.word_bonus,
        "nbest": nbest,
    }
    decoders: dict[str, Decoder | None] = {
        "greedy": None,
        f"beam {beam}": beam_decoder(tokenizer, beam, nbest=nbest),
        f"beam {4 * beam}": beam_decoder(tokenizer, 4 * beam, nbest=nbest),
        f"beam {beam}, skips blanks from {args.skip_blank:g}": beam_decoder(
            tokenizer, beam, nbest=nbest, skip_blank=args.skip_blank
        ),
    }
    if model:
        decoders[f"beam {beam} + LM"] = beam_decoder(tokenizer, beam, **known)
    if lexicon:
        decoders[f"beam {beam} + lexicon"] = beam_decoder(
            tokenizer, beam, nbest=nbest, lexicon=lexicon
        )
    if model and lexicon:
        decoders[f"beam {beam} + lexicon + LM"] = beam_decoder(
            tokenizer, beam, **known, lexicon=lexicon
        )
    if lexicon:
        try:
            options = {**known, "lm": args.lm}
            decoders[f"flashlight {beam}, lexicon" + (" + LM" if model else "")] = (
                FlashlightDecoder(tokenizer, lexicon, beam, **options)
            )
        except ImportError as error:
            print(error)

    heard = hear(recogniser, args.manifest, args.dev_share, args.dev_seed)
    table = Table("decoder", "WER %", "CER %", "s per audio s")
    for name, decoder in decoders.items():
        errors, seconds = score(heard, recogniser, decoder)
        table.add_row(
            name,
            f"{100 * errors.words.rate:.2f}",
            f"{100 * errors.chars.rate:.2f}",
            f"{seconds / heard.audio_s:.6f}",
        )
    Console().print(table)
    count = sum(len(references) for references, _ in heard.batches)
    print(
        f"{count} utterances, {heard.audio_s:.1f} s of audio; the network took {heard.network_s / heard.audio_s:.6f} s per audio s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
