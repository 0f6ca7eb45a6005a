"""Greedy, beam, beam with a language model, beam with a lexicon, in one table.

python tools/bench/decode.py runs/mine/best.pt VALID.jsonl --lm lm.arpa --lm-weight 0.5 --beam 16

Error rates, and decoding seconds per audio second. Network and decoder are timed apart, on the CPU,
one process; the flashlight decoder joins where it is installed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
from _decode import add_dev_flags, run_network, score

from ctcasr.commands.decoder_flags import (
    add_ensemble_flag,
    ensemble_from,
    hypotheses_wanted,
    lexicon_from,
)
from ctcasr.decoding.decoder import Decoder, FlashlightDecoder, beam_decoder
from ctcasr.run_cli import run_cli
from ctcasr.text import NGram, Tokenizer

WIDER = 4  # times the beam, in a row of its own


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    add_ensemble_flag(parser)
    parser.add_argument("manifest")
    add_dev_flags(parser)
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
    arguments = parser.parse_args(argv)
    recogniser = ensemble_from(arguments)
    decoders = decoders_of(arguments, recogniser.tokenizer)
    logits = run_network(recogniser, arguments.manifest, arguments.dev_share, arguments.dev_seed)
    table = Table("decoder", "WER %", "CER %", "s per audio s")
    for name, decoder in decoders.items():
        errors, seconds = score(logits, recogniser, decoder)
        wer = f"{100 * errors.words.rate_or(math.nan):.2f}"
        cer = f"{100 * errors.chars.rate_or(math.nan):.2f}"
        table.add_row(name, wer, cer, f"{seconds / logits.audio_s:.6f}")
    Console().print(table)
    print(logits)
    print(f"the network took {logits.network_s / logits.audio_s:.6f} s per audio s")
    return 0


def decoders_of(arguments: argparse.Namespace, tokenizer: Tokenizer) -> dict[str, Decoder | None]:
    """The rows of the table: those for which there is a model or a lexicon, too."""
    beam = arguments.beam
    model = NGram.read(arguments.lm) if arguments.lm else None
    words = arguments.lexicon or ("lm" if model else None)
    lexicon = lexicon_from(words, model, tokenizer)
    weights: dict[str, Any] = {
        "lm_weight": arguments.lm_weight,
        "word_bonus": arguments.word_bonus,
    }

    def beam_of(size: int, **options: Any) -> Decoder:
        return beam_decoder(tokenizer, size, nbest=hypotheses_wanted(arguments, size), **options)

    decoders: dict[str, Decoder | None] = {
        "greedy": None,
        f"beam {beam}": beam_of(beam),
        f"beam {WIDER * beam}": beam_of(WIDER * beam),
        f"beam {beam}, skips blanks from {arguments.skip_blank:g}": beam_of(
            beam, skip_blank=arguments.skip_blank
        ),
    }
    if model:
        decoders[f"beam {beam} + LM"] = beam_of(beam, lm=model, **weights)
    if lexicon:
        decoders[f"beam {beam} + lexicon"] = beam_of(beam, lexicon=lexicon)
    if model and lexicon:
        both = beam_of(beam, lm=model, lexicon=lexicon, **weights)
        decoders[f"beam {beam} + lexicon + LM"] = both
    if lexicon:
        try:
            nbest = hypotheses_wanted(arguments, beam)
            flashlight = FlashlightDecoder(
                tokenizer, lexicon, beam, lm=arguments.lm, nbest=nbest, **weights
            )
            name = f"flashlight {beam}, lexicon" + (" + LM" if model else "")
            decoders[name] = flashlight
        except ImportError as error:
            print(error)
    return decoders


if __name__ == "__main__":
    sys.exit(run_cli(main))
