"""The flags by which commands ask for a recogniser and its decoder."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ctcasr.commands.device_flag import device_for

if TYPE_CHECKING:  # `ctcasr --help` need not load torch
    import torch

    from ctcasr.decoding.decoder import Decoder
    from ctcasr.recognise.ensemble import Ensemble
    from ctcasr.recognise.transcribing import Transcribing
    from ctcasr.text import Lexicon, NGram, Tokenizer


_LM_WEIGHT = 0.5
_HOTWORD_BONUS = 1.0  # nats
_NEVER_SKIP = 2.0  # a probability that no blank has
_DEFAULTS = {
    "beam": None,
    "lm": None,
    "lm_weight": _LM_WEIGHT,
    "word_bonus": 0.0,
    "lexicon": None,
    "hotwords": None,
    "hotword_bonus": _HOTWORD_BONUS,
    "skip_blank": _NEVER_SKIP,
    "ensemble": None,
    "speeds": None,
}


def add_decoder_flags(parser: argparse.ArgumentParser) -> None:
    """--beam and whatever only makes sense with it."""
    flags = parser.add_argument_group("decoding (greedy without --beam)")
    flags.add_argument(
        "--beam", type=int, metavar="N", help="prefix beam search that keeps N prefixes"
    )
    flags.add_argument(
        "--lm", metavar="FILE.arpa", help="word n-gram model, as tools/train_lm.py writes it"
    )
    flags.add_argument(
        "--lm-weight",
        type=float,
        default=_LM_WEIGHT,
        metavar="X",
        help="factor of its log-probabilities (default: 0.5)",
    )
    flags.add_argument(
        "--word-bonus", type=float, default=0.0, metavar="NATS", help="for every word (default: 0)"
    )
    flags.add_argument(
        "--lexicon",
        metavar="FILE",
        help="write only these words (one a line); 'lm': the words of --lm",
    )
    flags.add_argument("--hotwords", metavar="A,B,...", help="phrases to expect")
    flags.add_argument(
        "--hotword-bonus",
        type=float,
        default=_HOTWORD_BONUS,
        metavar="NATS",
        help="for every character of a phrase (default: 1)",
    )
    flags.add_argument(
        "--skip-blank",
        type=float,
        default=_NEVER_SKIP,
        metavar="P",
        help="a frame with at least this probability of the blank counts as blank alone "
        "(default: none does)",
    )
    add_ensemble_flag(flags)


def add_ensemble_flag(flags: argparse._ActionsContainer) -> None:
    """--ensemble and --speeds, which every command that decodes takes."""
    flags.add_argument(
        "--ensemble",
        metavar="B.pt,C.pt",
        help="more checkpoints (same alphabet): what any of them finds is ranked by all",
    )
    flags.add_argument(
        "--speeds",
        metavar="X,Y,...",
        help="play everything at each of these speeds, as 0.9,0.95,1,1.05,1.1: what is found at "
        "any is ranked by all (of five, at five times the work)",
    )


def recogniser_from(arguments: argparse.Namespace) -> Transcribing:
    """The recogniser of a checkpoint, or the ensemble that the flags ask for, on their device.

    ValueError for speeds that are none.
    """
    from ctcasr.recognise.ensemble import Ensemble
    from ctcasr.recognise.recogniser import Recogniser

    speeds = _speeds_of(arguments.speeds)
    paths = [arguments.checkpoint]
    if arguments.ensemble:
        paths += arguments.ensemble.split(",")
    device = device_for(arguments, paths)
    if arguments.ensemble:
        ensemble = ensemble_from(arguments, device)
        if arguments.beam is None:
            _warn_of_forgotten_sentences(ensemble)
        return ensemble
    recogniser = Recogniser.load(arguments.checkpoint, device)
    if not speeds:
        return recogniser
    if recogniser.commands is not None and arguments.beam is None:
        recogniser.understand(replace(recogniser.commands, speeds=speeds))
        return recogniser
    return Ensemble.at_speeds([recogniser], speeds)


def _warn_of_forgotten_sentences(ensemble: Ensemble) -> None:
    from ctcasr.recognise.transcribing import TranscribingLogits

    for member in ensemble.members:
        if isinstance(member, TranscribingLogits) and member.commands is not None:
            warnings.warn(
                "--ensemble: a recogniser of given sentences writes whatever it hears in an "
                "ensemble; give it alone (with --speeds) where only its sentences are to be "
                "written",
                stacklevel=2,
            )
            return


def asks_for_several(arguments: argparse.Namespace) -> bool:
    """Whether the flags ask for several networks, or for one at several speeds."""
    return bool(arguments.ensemble or arguments.speeds)


def ensemble_from(arguments: argparse.Namespace, device: str | torch.device = "cpu") -> Ensemble:
    """The checkpoint, and those of --ensemble, each at each of --speeds; ValueError for these."""
    from ctcasr.recognise.ensemble import Ensemble

    speeds = _speeds_of(arguments.speeds)
    return Ensemble.read(arguments.checkpoint, arguments.ensemble, device, speeds)


def _speeds_of(written: str | None) -> tuple[float, ...]:
    """The factors of "0.9,1,1.1"; ValueError for anything else."""
    from ctcasr.recognise.heard import check_speed

    if written is None:
        return ()
    try:
        speeds = tuple(float(factor) for factor in written.split(","))
    except ValueError:
        raise ValueError(f"--speeds: expected factors as 0.9,1,1.1; got {written!r}") from None
    for speed in speeds:
        check_speed(speed)
    return speeds


def decoder_from(
    arguments: argparse.Namespace, tokenizer: Tokenizer, nbest: int = 1
) -> Decoder | None:
    """What the flags ask for, with up to `nbest` hypotheses of each utterance; None for greedy.

    ValueError where flags want --beam, or a file cannot be read.
    """
    from ctcasr.decoding.decoder import beam_decoder
    from ctcasr.text import NGram, fit_vocabulary

    _refuse_idle_weights(arguments)
    if arguments.beam is None:
        _refuse_without_beam(arguments)
        return None
    model = None
    if arguments.lm:
        model = fit_vocabulary(NGram.read(arguments.lm), tokenizer, arguments.lm)
    hotwords = arguments.hotwords.split(",") if arguments.hotwords else ()
    return beam_decoder(
        tokenizer,
        arguments.beam,
        lm=model,
        lm_weight=arguments.lm_weight,
        word_bonus=arguments.word_bonus,
        lexicon=lexicon_from(arguments.lexicon, model, tokenizer),
        hotwords=hotwords,
        hotword_bonus=arguments.hotword_bonus,
        nbest=hypotheses_wanted(arguments, arguments.beam, nbest),
        skip_blank=arguments.skip_blank,
    )


def hypotheses_wanted(arguments: argparse.Namespace, beam: int, nbest: int = 1) -> int:
    """How many hypotheses a search with such a beam is asked for.

    Where several networks rank what each finds, some of each, as far as the beam has them.
    """
    from ctcasr.recognise.ensemble import NBEST

    if not asks_for_several(arguments):
        return nbest
    return max(nbest, min(NBEST, beam))


def refuse_decoder_flags(arguments: argparse.Namespace, kind: str) -> None:
    """ValueError where any of these flags is given beside a `kind` of checkpoint without text."""
    given = _given(arguments, _DEFAULTS)
    if given:
        raise ValueError(
            f"{', '.join(given)}: expected a recogniser with it; {arguments.checkpoint} is {kind}, "
            "which writes no text: leave it out"
        )


def _given(arguments: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """The flags of these that are given, as they are written."""
    given = []
    for name in names:
        if getattr(arguments, name) not in (_DEFAULTS[name], ""):
            given.append("--" + name.replace("_", "-"))
    return given


def _refuse_without_beam(arguments: argparse.Namespace) -> None:
    given = _given(arguments, ("lm", "lexicon", "hotwords", "word_bonus", "skip_blank"))
    if given:
        raise ValueError(f"{', '.join(given)}: expected --beam N with it (16 is a good start)")


def _refuse_idle_weights(arguments: argparse.Namespace) -> None:
    """ValueError for a weight of what was not given: it would change nothing."""
    if arguments.lm_weight != _LM_WEIGHT and not arguments.lm:
        raise ValueError("--lm-weight: expected --lm FILE.arpa with it")
    if arguments.hotword_bonus != _HOTWORD_BONUS and not arguments.hotwords:
        raise ValueError("--hotword-bonus: expected --hotwords with it")


def lexicon_from(name: str | None, model: NGram | None, tokenizer: Tokenizer) -> Lexicon | None:
    """The lexicon of a file, or of the model's words for the name "lm"; ValueError without one."""
    from ctcasr.text import Lexicon

    if name is None:
        return None
    if name != "lm":
        return Lexicon.read(name, tokenizer)
    if model is None:
        raise ValueError("--lexicon lm: expected --lm FILE.arpa with it")
    return Lexicon.of_model(model, tokenizer)
