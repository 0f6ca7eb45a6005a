"""`ctcasr prepare`: a corpus, as it is unpacked, to manifests."""

from __future__ import annotations

import argparse
import importlib

from ctcasr.text.spelling import expected_one_of

# Name -> what it reads. The module of that name in ctcasr/corpora has main(argv) -> status.
CORPORA = {
    "an4": "CMU AN4",
    "avse": "a part of the audio-visual speech enhancement challenge, as scenes",
    "commonvoice": "Common Voice",
    "csv": "any table of paths and texts",
    "fsdd": "Free Spoken Digit Dataset",
    "grid": "GRID, with video and word times where they lie beside the sound",
    "kaldi": "a Kaldi data folder",
    "librispeech": "LibriSpeech",
    "sounds": "ESC-50, UrbanSound8K, or one folder for each class",
    "spoken": "no corpus at hand? sentences that eSpeak NG says, to try everything with",
    "speech-commands": "Speech Commands, 12 or 35 classes",
    "voicebank": "VoiceBank-DEMAND, as scenes",
    "pack": "a manifest's many small files into a few large ones",
    "scenes": "speech mixed with noises or talkers, as a scene list",
    "segment": "long recordings with a transcript, cut into utterances by a recogniser",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of a corpus; what stands behind it is the corpus's own."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(
        [
            *(f"  {corpus:16s} {what}" for corpus, what in CORPORA.items()),
            "",
            "All that stands behind CORPUS is handed on: ctcasr prepare CORPUS --help",
        ]
    )
    help_text = "one of the list below"
    # A name that is left out is an empty one, so that the answer lists those that there are.
    parser.add_argument(
        "corpus", metavar="CORPUS", nargs="?", default="", type=_corpus_name, help=help_text
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare a corpus with its `flags`."""
    module = importlib.import_module("ctcasr.corpora." + arguments.corpus.replace("-", "_"))
    status: int = module.main(arguments.flags)
    return status


def _corpus_name(word: str) -> str:
    """A name that stands for a corpus; argparse tells of another one, as of any wrong call."""
    if word not in CORPORA:
        raise argparse.ArgumentTypeError(expected_one_of("a corpus", CORPORA, word))
    return word
