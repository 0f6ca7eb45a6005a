"""Recognisers for sherpa-onnx, which runs them on phones, small boards and in the browser.

Its loader of "omnilingual" CTC models hands the samples themselves to a network, brought to mean 0
and variance 1. So the front-end travels inside the file, and nothing of it is computed anew; what
the front-end makes of the samples must not depend on their gain.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctcasr.batch import Skip, Utterance
from ctcasr.data.skipped import refuse_nothing, skips_as_json
from ctcasr.export.eight_bits import quantise
from ctcasr.export.graph import Graph, Value
from ctcasr.export.layers import speech
from ctcasr.export.threads import one_thread
from ctcasr.kernels.atomic import write_text
from ctcasr.recognise.evaluation import ReadClip, Reading
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.scoring.errors import ErrorRates
from ctcasr.text import Tokenizer
from ctcasr.video import LipFront

RATE_HZ = 16000  # of the samples that the loader hands on
FRAME_S = 0.02  # for which the loader takes each step of the output, whatever the network
_EXACT_S = 1e-6
_WORD_MARK = "\u2581"  # before a word's first symbol; sherpa-onnx writes a space for it
_BLANK = "<blk>"
_TOKENS = "tokens.txt"


@dataclass(frozen=True)
class SherpaFile:
    """One file as sherpa-onnx ran it, on a test set."""

    name: str
    bytes: int
    same_text: int | None = None  # clips with the text that torch writes; None: not run
    wer: float | None = None
    rtf: float | None = None  # seconds, samples to text, for one second of sound

    def __str__(self) -> str:
        if self.same_text is None:
            return f"{self.name:24} {self.bytes / 1e6:7.2f} {'-':>10} {'-':>9} {'-':>8}"
        wer = "-" if self.wer is None else f"{100 * self.wer:.2f} %"
        return (
            f"{self.name:24} {self.bytes / 1e6:7.2f} {self.same_text:>10} {wer:>9} {self.rtf:8.4f}"
        )


@dataclass(frozen=True)
class ExportedForSherpa:
    """The files for sherpa-onnx, and what they write."""

    files: Sequence[Path]
    results: Sequence[SherpaFile]
    clips: int
    skipped: Sequence[Skip]
    version: str | None  # of sherpa-onnx; None where it is not installed
    times_factor: float  # by which its time stamps must be multiplied
    forgets_sentences: bool = False  # that alone were understood: the loader knows no grammar

    def as_json(self) -> dict[str, Any]:
        """Plain data: "clips", "files" (fields of `SherpaFile`), "skipped" and "sherpa_onnx"."""
        return {
            "clips": self.clips,
            "files": [asdict(result) for result in self.results],
            "skipped": skips_as_json(self.skipped),
            "sherpa_onnx": self.version,
            "times_factor": self.times_factor,
            "forgets_sentences": self.forgets_sentences,
        }

    def __str__(self) -> str:
        head = f"{'file':24} {'MB':>7} {'same text':>10} {'WER':>9} {'RTF':>8}"
        if self.version is None:
            tail = "not run: that takes the extra (pip install 'ctcasr[sherpa]') and --test"
        else:
            tail = f"{self.clips} clips, sherpa-onnx {self.version}, one thread; same text as torch"
        usage = (
            "sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(model=..., tokens=...) reads "
            f"them; {_TOKENS} has the symbols; 1 MB = 1000000 bytes"
        )
        lines = [head, *map(str, self.results), tail, usage]
        if self.times_factor != 1:
            lines.append(f"its time stamps must be multiplied by {self.times_factor:g}")
        if self.forgets_sentences:
            lines.append(
                "WARNING: this recogniser understands given sentences and refuses everything else; "
                "sherpa-onnx knows nothing of them and writes whatever it hears (--to onnx keeps "
                "them)"
            )
        return "\n".join(lines)


def export_for_sherpa(
    recogniser: Recogniser, out: Path, test: Sequence[Utterance] = (), name: str = "model"
) -> ExportedForSherpa:
    """Write NAME.onnx, NAME.int8.onnx and tokens.txt to folder `out`; run them where that goes.

    With a `test` set and sherpa-onnx installed, its texts are compared with torch's.

    Raises:
        ValueError: for a front-end that the loader cannot feed, with what to change; for a test
            set of which nothing can be read.
        ImportError: names what to install.
    """
    refuse_what_sherpa_cannot_feed(recogniser)
    symbols = tokens_text(recogniser.tokenizer)
    reading = Reading(recogniser)
    clips = list(reading.clips(test))
    if test:
        refuse_nothing(reading.skipped, len(clips))
    plain = _write_graph(recogniser, out / f"{name}.onnx")
    small = quantise(plain, out / f"{name}.int8.onnx")
    tokens = out / _TOKENS
    write_text(tokens, symbols)
    version = _installed_version()
    results = []
    for file in (plain, small):
        if version is None or not clips:
            results.append(SherpaFile(file.name, file.stat().st_size))
        else:
            results.append(_run(file, tokens, recogniser, clips))
    times_factor = round(recogniser.frame_s / FRAME_S / repeats(recogniser.frame_s), 6)
    exported = ExportedForSherpa(
        (plain, small, tokens),
        results,
        len(clips),
        reading.skipped,
        version,
        times_factor,
        forgets_sentences=recogniser.commands is not None,
    )
    write_text(out / f"{name}_sherpa.json", json.dumps(exported.as_json(), indent=2) + "\n")
    return exported


def refuse_what_sherpa_cannot_feed(recogniser: Recogniser) -> None:
    """ValueError where the front-end wants another sample rate, or the gain of the samples."""
    front = recogniser.model.front
    if isinstance(front, LipFront):
        raise ValueError("sherpa-onnx hands on sound; expected a recogniser that hears")
    if recogniser.rate_hz != RATE_HZ:
        raise ValueError(
            f"sherpa-onnx hands on samples at {RATE_HZ} Hz; this network wants "
            f"{recogniser.rate_hz} Hz: train one with front.rate_hz={RATE_HZ}"
        )
    if not front.extract.floor_db:
        raise ValueError(
            "sherpa-onnx brings samples to variance 1 before it hands them on; expected features "
            "that do not depend on the gain: train a network with front.floor_db=65, which "
            "measures levels above the mean of the utterance"
        )
    if recogniser.blank_penalty:
        raise ValueError("sherpa-onnx knows no blank penalty; expected 0")


def tokens_text(tokenizer: Tokenizer) -> str:
    """Lines "symbol number", as sherpa-onnx reads them.

    Raises:
        ValueError: where two symbols would be written alike.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> tokens_text(Alphabet(" ab")).splitlines()
        ['<blk> 0', '\u2581 1', 'a 2', 'b 3']
    """
    lines = []
    numbers: dict[str, int] = {}
    for number in range(tokenizer.size):
        symbol = tokenizer.symbol(number)
        if number == tokenizer.blank:
            symbol = _BLANK
        elif symbol.startswith("_"):
            symbol = _WORD_MARK + symbol.removeprefix("_")
        first = numbers.setdefault(symbol, number)
        if first != number:
            raise ValueError(
                f"sherpa-onnx takes {_WORD_MARK} (and _, which it is written for) for a space; "
                f"symbols {first} and {number} of this recogniser would both be {symbol!r}: train "
                "one whose alphabet lacks that letter"
            )
        lines.append(f"{symbol} {number}\n")
    return "".join(lines)


def _write_graph(recogniser: Recogniser, path: Path) -> Path:
    """Samples [1, N], of any gain, to log-posteriors [1, T, symbols]."""
    graph = Graph()
    samples = graph.input("samples")
    log_probs, _ = speech(recogniser.model, samples, _whole_length(samples))
    log_probs = _repeated(log_probs, repeats(recogniser.frame_s), recogniser.tokenizer.size)
    path.parent.mkdir(parents=True, exist_ok=True)
    graph.save(
        path,
        inputs={"samples": ("float", [1, "time"])},
        outputs={"log_probs": ("float", [1, "steps", recogniser.tokenizer.size])},
        values={"log_probs": log_probs},
        metadata={"model_type": "ctcasr", "sample_rate": str(RATE_HZ)},
    )
    return path


def repeats(frame_s: float) -> int:
    """How often each frame is told, so that the times are right: the text is the same.

    Frames that are no multiple of what the loader expects are told once; times are then wrong.

    Example:
        >>> [repeats(frame_s) for frame_s in (0.04, 0.02, 0.01, 0.03)]
        [2, 1, 1, 1]
    """
    times = round(frame_s / FRAME_S)
    return times if times >= 1 and abs(times * FRAME_S - frame_s) < _EXACT_S else 1


def _repeated(log_probs: Value, times: int, symbols: int) -> Value:
    """Log-posteriors [1, T, symbols] with each frame so many times, [1, times T, symbols]."""
    if times == 1:
        return log_probs
    tiled = log_probs.graph("Tile", log_probs.unsqueeze(2), [1, 1, times, 1])
    return tiled.reshape(0, -1, symbols)


def _whole_length(samples: Value) -> Value:
    """The length [1] of samples [1, N] of which all are real."""
    return samples.size(1)


def _installed_version() -> str | None:
    try:
        import sherpa_onnx
    except ImportError:
        return None
    return str(sherpa_onnx.__version__)


def _run(file: Path, tokens: Path, recogniser: Recogniser, clips: Sequence[ReadClip]) -> SherpaFile:
    """What sherpa-onnx writes of every clip, beside what torch writes."""
    import sherpa_onnx

    runtime = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        model=str(file), tokens=str(tokens), num_threads=1
    )
    same = 0
    seconds = 0.0
    errors = ErrorRates()
    with one_thread():
        for clip in clips:
            (wanted,) = recogniser.transcribe(clip.samples, RATE_HZ)
            start = time.perf_counter()
            stream = runtime.create_stream()
            stream.accept_waveform(RATE_HZ, clip.samples.numpy())
            runtime.decode_stream(stream)
            seconds += time.perf_counter() - start
            text = " ".join(stream.result.text.split())
            same += text == wanted.text
            errors += ErrorRates.of(clip.reference, text)
    audio_s = sum(clip.samples.shape[0] for clip in clips) / RATE_HZ
    size = file.stat().st_size
    return SherpaFile(file.name, size, same, errors.words.rate, seconds / audio_s)
