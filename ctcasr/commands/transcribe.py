"""`ctcasr transcribe`: what is said in sound files, as text or with the times of the words."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.commands.decoder_flags import add_decoder_flags, decoder_from, recogniser_from
from ctcasr.commands.device_flag import add_device_flag
from ctcasr.commands.progress import progress_bar
from ctcasr.data import AudioError, audio_info
from ctcasr.decoding.decoder import Decoder
from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.kernels.atomic import write_text
from ctcasr.recognise.long import transcribe_long
from ctcasr.recognise.transcribing import Transcribing
from ctcasr.transcripts.formats import ctm_name, to_ctm, to_json, to_textgrid
from ctcasr.transcripts.subtitles import to_srt, to_vtt

LONG_S = 30.0  # from which on a recording is heard piece by piece
ENDINGS = {
    "text": ".txt",
    "json": ".json",
    "srt": ".srt",
    "vtt": ".vtt",
    "ctm": ".ctm",
    "textgrid": ".TextGrid",
}
FORMAT_OF = {ending.lower(): name for name, ending in ENDINGS.items()} | {".jsonl": "json"}
MANY_IN_ONE = ("text", "json", "ctm")  # formats in which one file tells of several recordings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr transcribe`."""
    parser.add_argument("checkpoint")
    parser.add_argument("audio", nargs="+")
    parser.add_argument(
        "--format",
        choices=ENDINGS,
        help="text, json (words with times and confidences), subtitles (srt, vtt), or times of "
        "words for NIST's tools (ctm) or Praat (textgrid); default: as the name of --out ends",
    )
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument(
        "--out",
        metavar="FILE|FOLDER",
        help="write there instead of to standard output; a folder gets a file for each recording",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help=f"hear each file as one (default: what lasts {LONG_S:g} s or more is cut where speech "
        "pauses, which bounds memory and is what networks know that were trained on short clips)",
    )
    add_device_flag(parser)
    form = parser.add_argument_group("what is written")
    form.add_argument(
        "--cue-words",
        type=int,
        metavar="N",
        help="at most N words in a subtitle (1: every word has its own)",
    )
    form.add_argument(
        "--nbest",
        type=int,
        default=1,
        metavar="N",
        help="json: up to N hypotheses of each recording; needs --beam (default: 1)",
    )
    add_decoder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write what is said; 1 where some files could not be read."""
    kind = format_of(arguments)
    _check(arguments, kind)
    recogniser = recogniser_from(arguments)
    decoder = decoder_from(arguments, recogniser.tokenizer, arguments.nbest)
    together = ""  # of all recordings, where one file holds them
    unreadable = 0
    for path in arguments.audio:
        try:
            hypothesis, duration_s = _heard(recogniser, path, decoder, arguments.whole)
        except AudioError as error:
            unreadable += 1
            print(f"ctcasr: {error}", file=sys.stderr)
            continue
        hypothesis = replace(hypothesis, others=hypothesis.others[: arguments.nbest - 1])
        text = _written(kind, path, hypothesis, duration_s, arguments)
        if not arguments.out:
            print(text, end="", flush=True)
        elif _is_folder(arguments.out):
            file = Path(arguments.out) / (Path(path).stem + ENDINGS[kind])
            write_text(file, text)
            print(file, flush=True)
        else:
            together += text
    if arguments.out and not _is_folder(arguments.out) and unreadable < len(arguments.audio):
        write_text(Path(arguments.out), together)
        print(arguments.out)
    return 1 if unreadable else 0


def format_of(arguments: argparse.Namespace) -> str:
    """The format that the flags ask for; ValueError where they contradict each other."""
    asked = "json" if arguments.json else arguments.format
    if arguments.json and arguments.format not in (None, "json"):
        raise ValueError(f"--json: expected no other format with it; got {arguments.format}")
    if asked:
        return str(asked)
    if not arguments.out:
        return "text"
    ending = Path(arguments.out).suffix.lower()
    if ending not in FORMAT_OF:
        raise ValueError(
            f"--out {arguments.out}: expected --format with it, or a name that ends in "
            f"{', '.join(FORMAT_OF)}"
        )
    return FORMAT_OF[ending]


def _check(arguments: argparse.Namespace, kind: str) -> None:
    """ValueError for flags that would change nothing, or cannot be followed."""
    if arguments.cue_words is not None:
        if kind not in ("srt", "vtt"):
            raise ValueError(f"--cue-words: expected --format srt or vtt with it; got {kind}")
        if arguments.cue_words < 1:
            raise ValueError(f"--cue-words: expected 1 or more; got {arguments.cue_words}")
    if arguments.nbest < 1:
        raise ValueError(f"--nbest: expected 1 or more; got {arguments.nbest}")
    if arguments.nbest > 1 and (kind != "json" or arguments.beam is None):
        raise ValueError("--nbest: expected --format json and --beam N with it")
    into_folder = bool(arguments.out) and _is_folder(arguments.out)
    if len(arguments.audio) > 1 and kind not in MANY_IN_ONE and not into_folder:
        raise ValueError(
            f"several recordings as {kind}: expected --out FOLDER, which gets a file for each"
        )
    if into_folder and Path(arguments.out).is_file():
        raise ValueError(
            f"--out {arguments.out}: expected a folder, or a file whose name has an ending "
            f"({', '.join(FORMAT_OF)}); a file lies there"
        )
    if kind == "ctm":
        _refuse_equal_names(arguments.audio, ctm_name)
    elif into_folder:
        _refuse_equal_names(arguments.audio, str)


def _is_folder(out: str) -> bool:
    """Whether --out means a folder: one that exists, or a name without an ending."""
    return Path(out).is_dir() or out.endswith(("/", os.sep)) or not Path(out).suffix


def _refuse_equal_names(paths: Sequence[str], written: Callable[[str], str]) -> None:
    """ValueError where two recordings would be told by one name, as it is `written`."""
    known: dict[str, str] = {}
    for path in paths:
        name = written(Path(path).stem)
        if name in known:
            raise ValueError(
                f"{known[name]} and {path}: expected names that differ before their endings, "
                f"since files and lines are told apart by them; both would be {name}: call the "
                "command for each"
            )
        known[name] = path


def _heard(
    recogniser: Transcribing, path: str, decoder: Decoder | None, whole: bool
) -> tuple[Hypothesis, float]:
    """What is said in a file, long or short, and how many seconds it has."""
    if recogniser.sees:
        (frames,) = recogniser.clips(path, None)
        (hypothesis,) = recogniser.transcribe(frames, decoder=decoder)
        return hypothesis, len(frames) / recogniser.rate_hz
    duration_s = audio_info(path).duration_s
    if whole or duration_s < LONG_S:
        (hypothesis,) = recogniser.transcribe(path, decoder=decoder)
        return hypothesis, duration_s
    with progress_bar(f"transcribing {path}, seconds") as progress:
        long = transcribe_long(recogniser, path, decoder=decoder, progress=progress)
        return long, duration_s


def _written(
    kind: str, path: str, hypothesis: Hypothesis, duration_s: float, arguments: argparse.Namespace
) -> str:
    """One recording in the format that is asked for, with the end of its last line."""
    if kind == "json":
        return to_json(path, hypothesis, duration_s) + "\n"
    if kind == "srt":
        return to_srt(hypothesis, arguments.cue_words)
    if kind == "vtt":
        return to_vtt(hypothesis, arguments.cue_words)
    if kind == "ctm":
        return to_ctm(Path(path).stem, hypothesis)
    if kind == "textgrid":
        return to_textgrid(hypothesis, duration_s)
    if len(arguments.audio) == 1 or (arguments.out and _is_folder(arguments.out)):
        return hypothesis.text + "\n"
    return f"{path}\t{hypothesis.text}\n"
