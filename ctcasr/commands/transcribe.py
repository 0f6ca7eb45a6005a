"""`ctcasr transcribe`: what is said in sound files."""

from __future__ import annotations

import argparse
import json
import sys

from ctcasr.commands.decoder_flags import add_decoder_flags, decoder_from, recogniser_from
from ctcasr.data import AudioError
from ctcasr.recognise import Hypothesis

TIME_DIGITS = 3  # of word times in seconds: a frame has 10 ms or more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr transcribe`."""
    parser.add_argument("checkpoint")
    parser.add_argument("audio", nargs="+")
    parser.add_argument("--json", action="store_true", help="an object per file, with word times")
    add_decoder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """A line for each file; 1 where some could not be read."""
    recogniser = recogniser_from(arguments)
    decoder = decoder_from(arguments, recogniser.tokenizer)
    unreadable = 0
    for path in arguments.audio:
        try:
            (hypothesis,) = recogniser.transcribe(path, decoder=decoder)
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
