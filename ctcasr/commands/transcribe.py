"""`ctcasr transcribe`: what is said in sound files."""

from __future__ import annotations

import argparse
import json
import sys

from ctcasr.commands.decoder_flags import add_decoder_flags, decoder_from, recogniser_from
from ctcasr.commands.progress import progress_bar
from ctcasr.data import AudioError, audio_info
from ctcasr.recognise.decoder import Decoder
from ctcasr.recognise.hypothesis import Hypothesis
from ctcasr.recognise.long import transcribe_long
from ctcasr.recognise.protocols import Transcriber

TIME_DIGITS = 3  # of word times in seconds: a frame has 10 ms or more
LONG_S = 30.0  # from which on a recording is heard piece by piece


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr transcribe`."""
    parser.add_argument("checkpoint")
    parser.add_argument("audio", nargs="+")
    parser.add_argument("--json", action="store_true", help="an object per file, with word times")
    parser.add_argument(
        "--whole",
        action="store_true",
        help=f"hear each file as one (default: what lasts {LONG_S:g} s or more is cut where speech "
        "pauses, which bounds memory and is what networks know that were trained on short clips)",
    )
    add_decoder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """A line for each file; 1 where some could not be read."""
    recogniser = recogniser_from(arguments)
    decoder = decoder_from(arguments, recogniser.tokenizer)
    unreadable = 0
    for path in arguments.audio:
        try:
            hypothesis = _heard(recogniser, path, decoder, arguments.whole)
        except AudioError as error:
            unreadable += 1
            print(f"ctcasr: {error}", file=sys.stderr)
            continue
        if arguments.json:
            print(as_json(path, hypothesis))
        elif len(arguments.audio) == 1:
            print(hypothesis.text)
        else:
            print(f"{path}\t{hypothesis.text}")
    return 1 if unreadable else 0


def _heard(recogniser: Transcriber, path: str, decoder: Decoder | None, whole: bool) -> Hypothesis:
    """What is said in a file, long or short."""
    if whole or audio_info(path).duration_s < LONG_S:
        (hypothesis,) = recogniser.transcribe(path, decoder=decoder)
        return hypothesis
    with progress_bar(f"transcribing {path}, seconds") as progress:
        return transcribe_long(recogniser, path, decoder=decoder, progress=progress)


def as_json(path: str, hypothesis: Hypothesis) -> str:
    """One line: audio_filepath, text, score, and words with their times in seconds."""
    words = []
    for word in hypothesis.words:
        start_s = round(word.start_s, TIME_DIGITS)
        end_s = round(word.end_s, TIME_DIGITS)
        words.append({"word": word.text, "start_s": start_s, "end_s": end_s})
    line = {
        "audio_filepath": path,
        "text": hypothesis.text,
        "score": hypothesis.score,
        "words": words,
    }
    return json.dumps(line, ensure_ascii=False)
