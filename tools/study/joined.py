"""Error rate on sentences joined to one long recording, beside that on the sentences alone.

    python tools/study/joined.py CHECKPOINT MANIFEST --minutes 10

The sentences of the manifest, in random orders, as often as the minutes need. The recording is
heard as `ctcasr transcribe` hears it: piece by piece, and with --whole as one, too. Says the peak
of this process's memory, and where the times of words are not in order.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
from pathlib import Path

import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.data import read_audio, read_manifest
from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.recognise.long import transcribe_long
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.scoring.errors import ErrorRates


def orders(utterances: list[Utterance], seconds: float, seed: int) -> list[Utterance]:
    """All of them in random orders, until they last so long."""
    generator = random.Random(seed)
    chosen: list[Utterance] = []
    lasting = 0.0
    while lasting < seconds:
        order = list(utterances)
        generator.shuffle(order)
        chosen += order
        lasting += sum(utterance.duration or 0.0 for utterance in order)
    return chosen


def told(name: str, hypothesis: Hypothesis, reference: str) -> str:
    """A line about the long recording."""
    errors = ErrorRates.of(reference, hypothesis.text).words
    starts = [word.start_s for word in hypothesis.words]
    in_order = "in order" if starts == sorted(starts) else "NOT in order"
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{name}: WER {100 * errors.rate_or(0.0):.2f} %, times {in_order}, {peak_mib:.0f} MiB"


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="also as one, however long")
    arguments = parser.parse_args()
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    utterances = list(read_manifest(arguments.manifest).utterances)
    chosen = orders(utterances, 60 * arguments.minutes, arguments.seed)
    references = [recogniser.tokenizer.reference(line.text or "").text for line in chosen]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "joined.wav"
        with soundfile.SoundFile(path, "w", recogniser.rate_hz, 1) as file:
            for utterance in chosen:
                file.write(read_audio(utterance, recogniser.rate_hz).numpy())
        seconds = soundfile.info(path).duration
        print(f"{len(chosen)} sentences, {seconds:.0f} s, {torch.get_num_threads()} threads")
        reference = " ".join(references)
        print(told("in pieces", transcribe_long(recogniser, path), reference), flush=True)
        if arguments.whole:
            (whole,) = recogniser.transcribe(path)
            print(told("as one", whole, reference), flush=True)
    alone = ErrorRates()
    for utterance, wanted in zip(chosen, references, strict=True):
        (hypothesis,) = recogniser.transcribe(
            read_audio(utterance, recogniser.rate_hz), recogniser.rate_hz
        )
        alone += ErrorRates.of(wanted, hypothesis.text)
    print(f"sentence by sentence: WER {100 * alone.words.rate_or(0.0):.2f} %")


if __name__ == "__main__":
    main()
