"""Long recordings with a transcript, cut into utterances by a recogniser's forced alignment.

ctcasr prepare segment runs/mine/best.pt LONG.jsonl --out cut.jsonl
    every line: a recording and its whole text
ctcasr prepare segment runs/mine/best.pt talk.flac --transcript talk.txt --out cut.jsonl

Cuts lie between words, where 0.2 s are quietest around the boundary, because the symbols of CTC
come early or late within their sounds; the quietest boundaries are taken. Each line of the manifest
has `confidence`, the geometric mean probability of its symbols on the frames that they were aligned
to, and `worst_word` with the same of its least sure word: a text that was not said has both near 0.
`--least` leaves out what lies below, and says so.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.corpora import _prepare
from ctcasr.ctc import spelled
from ctcasr.data import is_manifest, read_audio, read_manifest, write_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

MOST_BYTES = 4 * 2**30  # that an alignment may take
WINDOW_S = 30.0  # of log-probabilities that are computed together
BESIDE_S = 3.0  # of sound on either side of a window, so that its ends are as its middle
QUIET_S = 0.2  # that are quiet around a cut
STEPS_PER_WINDOW = 20  # at which a quiet window may begin
LONGEST_REACH_S = 0.5  # into the end of a word, where a boundary is looked for
FLOOR = 1e-12  # of power: silence has a level too


@dataclass(frozen=True)
class Spoken:
    """One aligned word.

    First frame, one past its last, and log-probabilities on the frames of its symbols.
    """

    text: str
    start: int
    end: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Pause:
    """The quietest place around a boundary of words."""

    level_db: float
    middle_s: float


def segments(
    recogniser: Recogniser, utterance: Utterance, shortest_s: float, longest_s: float
) -> list[dict[str, Any]]:
    """Manifest lines of one long recording.

    Keys: audio_filepath, offset, duration, text, speaker where it is known, confidence, worst_word.

    Raises:
        ValueError: where its text has no symbol, or does not fit into it; and for a recogniser
            that reads lips.
    """
    if recogniser.model.sees:
        raise ValueError("expected a recogniser that hears, to cut sound; this one reads lips")
    samples = read_audio(utterance, recogniser.rate_hz)
    words = align_words(recogniser, utterance, samples)
    step_s = recogniser.model.frame_s
    total_s = samples.shape[0] / recogniser.rate_hz
    pauses = []
    for word, next_word in pairwise(words):
        first_s, last_s = boundary_range(word, next_word, step_s)
        pauses.append(quietest(samples, recogniser.rate_hz, first_s, last_s))
    levels_db = [pause.level_db for pause in pauses]
    lines = []
    start_s = 0.0
    for first, last in cut_points(words, levels_db, shortest_s / step_s, longest_s / step_s):
        if last == len(words):
            end_s = total_s
        else:
            end_s = max(pauses[last - 1].middle_s, start_s)
        duration_s = min(end_s, total_s) - start_s
        lines.append(manifest_line(utterance, words[first:last], start_s, duration_s))
        start_s = end_s
    return lines


def manifest_line(
    utterance: Utterance, words: Sequence[Spoken], start_s: float, duration_s: float
) -> dict[str, Any]:
    """A part of a recording as a line of a manifest."""
    line: dict[str, Any] = {
        "audio_filepath": str(utterance.audio_filepath),
        "offset": round(utterance.offset + start_s, 3),
        "duration": round(duration_s, 3),
        "text": " ".join(word.text for word in words),
    }
    if utterance.speaker:
        line["speaker"] = utterance.speaker
    line["confidence"] = round(confidence(words), 4)
    line["worst_word"] = round(min(confidence([word]) for word in words), 4)
    return line


def align_words(recogniser: Recogniser, utterance: Utterance, samples: Tensor) -> list[Spoken]:
    """The words of an utterance's text on the frames of its samples [N].

    Raises:
        ValueError: where its text has no symbol, does not fit into it, or takes too much memory.
    """
    tokens = recogniser.tokenizer.encode(utterance.text or "")
    if not tokens:
        raise ValueError(
            f"{utterance.id}: expected a text with characters of the alphabet; "
            f"got {utterance.text!r}"
        )
    log_probs = long_log_probs(recogniser, samples)
    frames = log_probs.shape[0]
    states = 2 * len(tokens) + 1
    if frames * states > MOST_BYTES:
        raise ValueError(
            f"{utterance.id}: aligning {frames} frames to {len(tokens)} symbols takes "
            f"{frames * states / 2**30:.1f} GiB; cut the recording by hand into parts of about "
            "half an hour first"
        )
    alignment = spelled(log_probs.double().numpy(), tokens, recogniser.tokenizer.blank)
    if alignment.score == -math.inf:
        raise ValueError(
            f"{utterance.id}: expected a recording in which its text has room; {len(tokens)} "
            f"symbols do not fit into {frames} frames; is it the right transcript?"
        )
    return spoken(recogniser, log_probs, tokens, alignment.frames)


@torch.no_grad()
def long_log_probs(
    recogniser: Recogniser, samples: Tensor, window_s: float = WINDOW_S, beside_s: float = BESIDE_S
) -> Tensor:
    """Log-probabilities [T, symbols] of samples [N] of any length.

    Window by window, each computed with some of what lies beside it.
    """
    frame_s = recogniser.model.frame_s
    hop = round(frame_s * recogniser.rate_hz)
    frames = recogniser.model.frames(samples.shape[0])
    window = round(window_s / frame_s)
    beside = round(beside_s / frame_s)
    if frames <= window + 2 * beside:
        window = frames
    parts = []
    for start in range(0, frames, window):
        end = min(start + window, frames)
        first = max(0, start - beside)
        last = min(frames, start + window + beside)
        last_sample = samples.shape[0] if last == frames else last * hop
        audio = Seq.stack([samples[first * hop : last_sample]], recogniser.rate_hz)
        logits = recogniser.logits(audio.to(recogniser.device)).row(0)
        log_probs = logits.float().log_softmax(-1).cpu()
        parts.append(log_probs[start - first : end - first])
    return torch.cat(parts)


def spoken(
    recogniser: Recogniser,
    log_probs: Tensor,
    tokens: Sequence[int],
    frames: Sequence[tuple[int, int]],
) -> list[Spoken]:
    """Aligned tokens as words; the space belongs to none."""
    words: list[Spoken] = []
    begins_word = True
    for token, (first, end) in zip(tokens, frames, strict=True):
        symbol = recogniser.tokenizer.symbol(token)
        begins_word = begins_word or symbol.startswith("_")
        text = symbol.removeprefix("_")
        if not text:
            continue
        values = tuple(log_probs[first:end, token].tolist())
        if begins_word:
            words.append(Spoken(text, first, end, values))
        else:
            word = words.pop()
            words.append(Spoken(word.text + text, word.start, end, word.values + values))
        begins_word = False
    return words


def boundary_range(word: Spoken, next_word: Spoken, step_s: float) -> tuple[float, float]:
    """From when to when a boundary is looked for, in seconds.

    From the last part of a word to the first symbol of the next.
    """
    middle = word.start + (word.end - word.start) / 2
    first = max(middle, word.end - LONGEST_REACH_S / step_s)
    return first * step_s, (next_word.start + 1) * step_s


def quietest(samples: Tensor, rate_hz: int, first_s: float, last_s: float) -> Pause:
    """The quietest 0.2 s that begin or end within a range; its middle if it is shorter."""
    window = round(QUIET_S * rate_hz)
    step = max(1, window // STEPS_PER_WINDOW)
    first = max(0, round(first_s * rate_hz) - window // 2)
    last = round(last_s * rate_hz) + window // 2
    powers = samples[first:last].double().square()
    if powers.shape[0] < window:
        return Pause(0.0, 0.5 * (first_s + last_s))
    power_of_window = powers.unfold(0, window, step).mean(1)
    best = int(power_of_window.argmin())
    level_db = 10 * math.log10(float(power_of_window[best]) + FLOOR)
    return Pause(level_db, (first + best * step + window / 2) / rate_hz)


def cut_points(
    words: Sequence[Spoken], levels_db: Sequence[float], shortest: float, longest: float
) -> list[tuple[int, int]]:
    """Ranges of words of at most `longest` frames (single words may be longer).

    Cut where it is quietest of what `shortest` allows; levels_db[i]: between word i and the next.
    """
    ranges = []
    first = 0
    while first < len(words):
        last = _next_cut(words, levels_db, first, shortest, longest)
        ranges.append((first, last))
        first = last
    return ranges


def _next_cut(
    words: Sequence[Spoken], levels_db: Sequence[float], first: int, shortest: float, longest: float
) -> int:
    """One past the last word of the part that begins with word `first`."""
    start = words[first].start
    fits = []
    long_enough = []
    for last in range(first + 1, len(words) + 1):
        frames = words[last - 1].end - start
        if frames <= longest:
            fits.append(last)
            if frames >= shortest:
                long_enough.append(last)
    if not fits:
        return first + 1
    if fits[-1] == len(words):
        return len(words)
    return min(long_enough or fits[-1:], key=lambda last: (levels_db[last - 1], -last))


def confidence(words: Sequence[Spoken]) -> float:
    """Geometric mean probability of their symbols."""
    values = [value for word in words for value in word.values]
    return math.exp(sum(values) / len(values))


def read_sources(arguments: argparse.Namespace) -> Sequence[Utterance]:
    """The lines of a manifest, or one recording with its transcript.

    Raises:
        ValueError: for a recording alone, and a transcript that is none.
    """
    source = Path(arguments.source)
    if arguments.transcript is None:
        if source.is_file() and not is_manifest(source):
            raise ValueError(
                f"{source}: expected a manifest; of a recording, name the text by --transcript"
            )
        return read_manifest(source).utterances
    lines = _prepare.lines_of(Path(arguments.transcript))
    text = "\n".join(line for _, line in lines)
    return [Utterance(source, text=text)]


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare segment`: align, cut, write; ValueError or OSError where that fails."""
    arguments = _parse(argv)
    sources = [Path(arguments.source), Path(arguments.checkpoint)]
    if arguments.transcript is not None:
        sources.append(Path(arguments.transcript))
    _prepare.refuse_overwriting([Path(arguments.out)], sources)
    recogniser = Recogniser.load(arguments.checkpoint)
    if not isinstance(recogniser, Recogniser):
        raise ValueError(f"{arguments.checkpoint}: expected a checkpoint; ONNX files do not align")
    cut = _Cut()
    for utterance in read_sources(arguments):
        cut.add(recogniser, utterance, arguments)
    if not cut.lines:
        raise ValueError(
            f"{arguments.source}: found no utterance that can be used ({cut.unsure} below --least "
            f"{arguments.least:g}){_prepare.list_first(cut.skipped)}"
        )
    write_manifest(arguments.out, cut.lines)
    print(
        f"{arguments.out}: {len(cut.lines)} utterances; "
        f"{cut.unsure} below --least {arguments.least:g} left out"
    )
    if cut.skipped:
        print(f"recordings left out: {len(cut.skipped)}{_prepare.list_first(cut.skipped)}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags; ValueError for lengths or a confidence that cannot be."""
    parser = _prepare.command_parser("segment", __doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("source", metavar="MANIFEST|AUDIO")
    parser.add_argument("--transcript", metavar="FILE", help="the text of AUDIO")
    parser.add_argument("--out", required=True, metavar="FILE.jsonl")
    parser.add_argument(
        "--shortest",
        type=float,
        default=2.0,
        metavar="S",
        help="no shorter utterances, where pauses allow (default: 2)",
    )
    parser.add_argument(
        "--longest",
        type=float,
        default=15.0,
        metavar="S",
        help="no longer ones, from the first word to the last (default: 15)",
    )
    parser.add_argument(
        "--least",
        type=float,
        default=0.0,
        metavar="P",
        help="leave out utterances below this confidence (default: none)",
    )
    arguments = parser.parse_args(argv)
    if not 0 < arguments.shortest < arguments.longest:
        raise ValueError(
            f"expected 0 < --shortest < --longest; got {arguments.shortest} and {arguments.longest}"
        )
    if not 0 <= arguments.least <= 1:
        raise ValueError(f"--least: expected a confidence, 0 to 1; got {arguments.least}")
    return arguments


@dataclass
class _Cut:
    """What was cut so far."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    unsure: int = 0  # lines below --least

    def add(
        self, recogniser: Recogniser, utterance: Utterance, arguments: argparse.Namespace
    ) -> None:
        """Cut one recording, and print what came of it."""
        try:
            parts = segments(recogniser, utterance, arguments.shortest, arguments.longest)
        except ValueError as error:  # AudioError too
            self.skipped.append(Skip(utterance.where or utterance.id, str(error)))
            return
        sure = [line for line in parts if line["confidence"] >= arguments.least]
        self.unsure += len(parts) - len(sure)
        self.lines += sure
        seconds = sum(line["duration"] for line in sure)
        lowest = min((line["confidence"] for line in parts), default=0.0)
        print(
            f"{utterance.id}: {len(sure)} utterances, {seconds:.1f} s, "
            f"confidence {lowest:.3f} and more"
        )
