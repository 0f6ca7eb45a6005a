"""`ctcasr offset`: are the pictures of a clip in time with its sound?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.commands.device_flag import add_device_flag, device_from
from ctcasr.data import AudioError, is_manifest, read_manifest
from ctcasr.doctor.offset import MOST_S, WARN_S, Offset, Pair
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.show.terminal import TextConsole

DONE = 0
FAILED = 1
UNSURE = 3  # of some clip nothing can be said; docs/cli.md explains it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr offset`."""
    parser.add_argument(
        "source", metavar="IN", help="a sound file (with --video), or a manifest with videos"
    )
    parser.add_argument("--video", metavar="V", type=Path, help="video of the mouth of a file")
    parser.add_argument(
        "--recogniser", required=True, metavar="C", help="checkpoint that hears (recipes/recognise)"
    )
    parser.add_argument(
        "--lips", required=True, metavar="C", help="checkpoint that reads lips (recipes/lips)"
    )
    parser.add_argument(
        "--in-time",
        metavar="MANIFEST",
        help="clips that are in time: the median of their offsets counts as 0",
    )
    parser.add_argument("--json", action="store_true", help="plain data, a line for each clip")
    add_device_flag(parser, default="cpu")


def run(arguments: argparse.Namespace) -> int:
    """Estimate and warn; 1 where a clip is late or unreadable, else 3 where one cannot be told."""
    device = device_from(arguments)
    pair = Pair(
        Recogniser.load_checkpoint(arguments.recogniser, device),
        Recogniser.load_checkpoint(arguments.lips, device),
    )
    utterances = utterances_of(arguments)
    if arguments.in_time:
        for skip in pair.set_right(read_manifest(arguments.in_time).utterances):
            print(f"ctcasr: --in-time: {skip.where}: {skip.reason}", file=sys.stderr)
        print(f"in time: {1000 * pair.bias_s:+.0f} ms between the two networks", file=sys.stderr)
    console = TextConsole(highlight=False)
    statuses = {DONE}
    for utterance in utterances:
        try:
            offset = pair.offset(utterance)
        except AudioError as error:
            print(f"ctcasr: {utterance.full_name}: {error}", file=sys.stderr)
            statuses.add(FAILED)
            continue
        statuses.add(status_of(offset))
        if arguments.json:
            judged = {"is_sure": offset.is_sure, "is_late": offset.is_late}
            print(json.dumps({"id": utterance.id, **asdict(offset), **judged}))
        else:
            console.print(sentence(utterance, offset))
    return FAILED if FAILED in statuses else max(statuses)


def status_of(offset: Offset) -> int:
    """The exit status of one clip."""
    if not offset.is_sure:
        return UNSURE
    return FAILED if offset.is_late else DONE


def utterances_of(arguments: argparse.Namespace) -> Sequence[Utterance]:
    """The clips that are asked about.

    Raises:
        ValueError: for a file without --video, and a manifest with it.
    """
    source = Path(arguments.source)
    of_many = is_manifest(source)
    if of_many == (arguments.video is not None):
        raise ValueError(
            "expected a manifest, whose lines name their videos, or a sound file and --video; got "
            f"{source} {'with' if arguments.video else 'without'} --video"
        )
    if of_many:
        return read_manifest(source).utterances
    return [Utterance(source, video_filepath=arguments.video)]


def sentence(utterance: Utterance, offset: Offset) -> str:
    """One clip, for people."""
    likeness = f"resemblance {offset.resemblance:.2f}"
    if not offset.is_sure:
        likeness += f", margin {offset.margin:.3f}"
        return (
            f"{utterance.id}: cannot be told, what is heard and seen is alike at no offset more "
            f"than at others ({likeness})"
        )
    milliseconds = round(1000 * offset.seconds)
    where = f"{utterance.id}: {abs(milliseconds)} ms"
    side = "in time with"
    if milliseconds:
        side = "behind" if milliseconds > 0 else "before"
    text = f"{where}, the picture {side} the sound ({likeness})"
    if offset.is_late:
        text += f": WARNING, {1000 * WARN_S:.0f} ms or more; looked for up to {MOST_S:g} s"
    return text
