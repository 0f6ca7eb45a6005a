"""Long recordings with a transcript, cut into utterances by a recogniser's forced alignment, with confidences.

ctcasr prepare segment runs/mine/best.pt LONG.jsonl --out cut.jsonl                      every line: a recording and its whole text
ctcasr prepare segment runs/mine/best.pt talk.flac --transcript talk.txt --out cut.jsonl

Cuts lie between words, where 0.2 s are quietest around the boundary, because the symbols of CTC come early or late within their sounds;
the quietest boundaries are taken. Each line of the manifest has `confidence`, the geometric
mean probability of its symbols on the frames that they were aligned to, and `worst_word` with the same of its least sure word:
a text that was not said has both near 0. `--least` leaves out what lies below, and says so.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Utterance  # noqa: E402
from ctcasr.ctc import spelled  # noqa: E402
from ctcasr.data import read_audio, read_manifest, write_manifest  # noqa: E402
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq  # noqa: E402

_MOST_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Spoken:
    """One aligned word: its text, first frame, one past its last, and the log-probabilities on the frames of its symbols."""

    text: str
    start: int
    end: int
    values: tuple[float, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Align, cut, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    args = parser.parse_args(argv)
    if not 0 < args.shortest < args.longest:
        raise SystemExit(
            f"expected 0 < --shortest < --longest; got {args.shortest} and {args.longest}"
        )

    recogniser = Recogniser.load(args.checkpoint)
    if args.transcript:
        sources: Sequence[Utterance] = [
            Utterance(Path(args.source), text=Path(args.transcript).read_text(encoding="utf-8"))
        ]
    else:
        sources = read_manifest(args.source).utterances
    lines: list[dict[str, Any]] = []
    left_out = 0
    for utterance in sources:
        cut = segments(recogniser, utterance, args.shortest, args.longest)
        kept = [line for line in cut if line["confidence"] >= args.least]
        left_out += len(cut) - len(kept)
        lines += kept
        print(
            f"{utterance.id}: {len(kept)} utterances, {sum(line['duration'] for line in kept):.1f} s, "
            f"confidence {min((line['confidence'] for line in cut), default=0.0):.3f} and more"
        )
    write_manifest(args.out, lines)
    print(f"{args.out}: {len(lines)} utterances; {left_out} below --least {args.least:g} left out")
    return 0


def segments(
    recogniser: Recogniser, utterance: Utterance, shortest_s: float, longest_s: float
) -> list[dict[str, Any]]:
    """Manifest lines of one long recording; ValueError where its text has no symbol, or does not fit into it."""
    samples = read_audio(utterance, recogniser.rate_hz)
    tokens = recogniser.tokenizer.encode(utterance.text or "")
    if not tokens:
        raise ValueError(
            f"{utterance.id}: expected a text with characters of the alphabet; got {utterance.text!r}"
        )
    log_probs = long_log_probs(recogniser, samples)
    need = log_probs.shape[0] * (2 * len(tokens) + 1)
    if need > _MOST_BYTES:
        raise ValueError(
            f"{utterance.id}: aligning {log_probs.shape[0]} frames to {len(tokens)} symbols takes {need / 2**30:.1f} GiB; "
            "cut the recording by hand into parts of about half an hour first"
        )
    found = spelled(log_probs.double().numpy(), tokens, recogniser.tokenizer.blank)
    if found.score == -math.inf:
        raise ValueError(
            f"{utterance.id}: expected a recording in which its text has room; {len(tokens)} symbols do not fit into "
            f"{log_probs.shape[0]} frames; is it the right transcript?"
        )
    words = spoken(recogniser, log_probs, tokens, found.frames)
    step_s = recogniser.model.frame_s
    total_s = samples.shape[0] / recogniser.rate_hz
    pauses = [
        quietest(samples, recogniser.rate_hz, *_around(one, after, step_s))
        for one, after in pairwise(words)
    ]
    cuts = [0.0]
    out = []
    for first, last in cut_points(
        words, [level for level, _ in pauses], shortest_s / step_s, longest_s / step_s
    ):
        end_s = total_s if last == len(words) else max(pauses[last - 1][1], cuts[-1])
        part = words[first:last]
        out.append(
            {
                "audio_filepath": str(utterance.audio_filepath),
                "offset": round(utterance.offset + cuts[-1], 3),
                "duration": round(min(end_s, total_s) - cuts[-1], 3),
                "text": " ".join(word.text for word in part),
                **({"speaker": utterance.speaker} if utterance.speaker else {}),
                "confidence": round(_confidence(part), 4),
                "worst_word": round(min(_confidence([word]) for word in part), 4),
            }
        )
        cuts.append(end_s)
    return out


@torch.no_grad()
def long_log_probs(
    recogniser: Recogniser, samples: Tensor, window_s: float = 30.0, beside_s: float = 3.0
) -> Tensor:
    """Log-probabilities [T, symbols] of a recording of any length: windows, each computed with some of what lies beside it."""
    hop = round(recogniser.model.frame_s * recogniser.rate_hz)
    frames = recogniser.model.frames(samples.shape[0])
    window, beside = (
        round(window_s / recogniser.model.frame_s),
        round(beside_s / recogniser.model.frame_s),
    )
    if frames <= window + 2 * beside:
        window = frames
    parts = []
    for at in range(0, frames, window):
        first, last = max(0, at - beside), min(frames, at + window + beside)
        end = samples.shape[0] if last == frames else last * hop
        logits = recogniser.logits(
            Seq.stack([samples[first * hop : end]], recogniser.rate_hz).to(recogniser.device)
        )
        parts.append(
            logits.row(0)
            .float()
            .log_softmax(-1)
            .cpu()[at - first : min(at + window, frames) - first]
        )
    return torch.cat(parts)


def spoken(
    recogniser: Recogniser,
    log_probs: Tensor,
    tokens: Sequence[int],
    frames: Sequence[tuple[int, int]],
) -> list[Spoken]:
    """Aligned tokens as words; the space belongs to none."""
    out: list[Spoken] = []
    begin = True
    for token, (first, end) in zip(tokens, frames, strict=True):
        symbol = recogniser.tokenizer.symbol(token)
        begin = begin or symbol.startswith("_")
        text = symbol.removeprefix("_")
        if not text:
            continue
        values = tuple(log_probs[first:end, token].tolist())
        if begin:
            out.append(Spoken(text, first, end, values))
        else:
            out[-1] = Spoken(out[-1].text + text, out[-1].start, end, out[-1].values + values)
        begin = False
    return out


def _around(one: Spoken, after: Spoken, step_s: float, most_s: float = 0.5) -> tuple[float, float]:
    """From when to when a boundary is looked for, seconds: from the last part of a word to the first symbol of the next."""
    first = max(one.start + (one.end - one.start) / 2, one.end - most_s / step_s)
    return first * step_s, (after.start + 1) * step_s


def quietest(
    samples: Tensor, rate_hz: int, first_s: float, last_s: float, window_s: float = 0.2
) -> tuple[float, float]:
    """Level (dB) and middle (s) of the quietest window that begins or ends within a range; the range's middle if it is shorter."""
    window = round(window_s * rate_hz)
    first = max(0, round(first_s * rate_hz) - window // 2)
    part = samples[first : round(last_s * rate_hz) + window // 2].double().square()
    if part.shape[0] < window:
        return 0.0, 0.5 * (first_s + last_s)
    power = part.unfold(0, window, max(1, window // 20)).mean(1)
    best = int(power.argmin())
    return 10 * math.log10(float(power[best]) + 1e-12), (
        first + best * max(1, window // 20) + window / 2
    ) / rate_hz


def cut_points(
    words: Sequence[Spoken], levels: Sequence[float], shortest: float, longest: float
) -> list[tuple[int, int]]:
    """Ranges of words of at most `longest` frames (single words may be longer), cut where it is quietest of what `shortest` allows.

    levels[i]: how loud it is between word i and the next, dB.
    """
    out = []
    first = 0
    while first < len(words):
        fits = [
            last
            for last in range(first + 1, len(words) + 1)
            if words[last - 1].end - words[first].start <= longest
        ]
        if not fits:
            last = first + 1
        elif fits[-1] == len(words):
            last = len(words)
        else:
            long_enough = [
                last for last in fits if words[last - 1].end - words[first].start >= shortest
            ] or fits[-1:]
            last = min(long_enough, key=lambda at: (levels[at - 1], -at))
        out.append((first, last))
        first = last
    return out


def _confidence(words: Sequence[Spoken]) -> float:
    values = [value for word in words for value in word.values]
    return math.exp(sum(values) / len(values))


if __name__ == "__main__":
    sys.exit(main())
