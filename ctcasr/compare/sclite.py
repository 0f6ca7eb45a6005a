"""NIST's files: .trn, .stm and .ctm; and SegLST, which is timed as .stm is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcasr.compare.results import Answer, lines_of, text_of

_COMMENT = ";;"
_IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"
_LABELS = re.compile(r"<[^>]*>")
_TRN = re.compile(r"^(.*?)\s*\(([^()\s]+)\)\s*$")
_OPTIONAL = re.compile(r"(?<!\S)\([^()\s]+\)(?!\S)")
_SPEAKER = re.compile(r"[-_]")  # what ends the speaker in "speaker-utterance", as sclite's spu_id


@dataclass(frozen=True)
class Timed:
    """A piece of text with its times in seconds; a word of a .ctm, or a segment."""

    session: str  # recording and channel
    speaker: str  # "" where nobody says it
    start_s: float
    end_s: float
    text: str
    label: str = ""
    scored: bool = True  # not where the reference says IGNORE_TIME_SEGMENT_IN_SCORING

    @property
    def middle_s(self) -> float:
        """Where it belongs."""
        return (self.start_s + self.end_s) / 2

    @property
    def id(self) -> str:
        """A name by place, to 10 ms."""
        speaker = f"-{self.speaker}" if self.speaker else ""
        return f"{self.session}{speaker}-{self.start_s:.2f}-{self.end_s:.2f}"

    def distance(self, segment: Timed) -> tuple[float, bool, float]:
        """From a segment: seconds outside of it, another speaker, seconds from its middle."""
        outside_s = 0.0
        if self.middle_s < segment.start_s:
            outside_s = segment.start_s - self.middle_s
        elif self.middle_s > segment.end_s:
            outside_s = self.middle_s - segment.end_s
        is_stranger = self.speaker not in ("", segment.speaker)
        return outside_s, is_stranger, abs(segment.middle_s - self.middle_s)


def read_trn(path: Path) -> Iterator[Answer]:
    """`text (speaker-utterance)`, a line for each.

    Raises:
        ValueError: for a line without a name in brackets at its end, or with alternatives.
    """
    for place, line in _lines(path):
        found = _TRN.match(line)
        if found is None:
            raise ValueError(f"{place}: expected a text and (its name) at the end; got {line!r}")
        text = found[1]
        name = found[2]
        _refuse_choices(text, place)
        speaker = _SPEAKER.split(name)[0]
        fields = {}
        if speaker != name:
            fields["speaker"] = speaker
        yield Answer(name, text, fields=fields)


def read_stm(path: Path) -> Iterator[Timed]:
    """`recording channel speaker start end [<labels>] text`, a segment a line.

    What shall be ignored comes too: words that are said there are nobody else's.

    Raises:
        ValueError: for a line that is none, or with alternatives.
    """
    for place, line in _lines(path):
        columns = line.split(None, 5)
        if len(columns) < 5:
            raise ValueError(f"{place}: expected recording, channel, speaker, start, end, text")
        recording, channel, speaker, start, end = columns[:5]
        text = "".join(columns[5:])
        label = ""
        labels = _LABELS.match(text)
        if labels is not None:
            label = labels[0]
            text = text.removeprefix(label).strip()
        _refuse_choices(text, place)
        ignored = text.upper() == _IGNORED
        yield Timed(
            session=f"{recording}-{channel}",
            speaker=speaker,
            start_s=_seconds(start, place),
            end_s=_seconds(end, place),
            text="" if ignored else text,
            label=label.strip("<>"),
            scored=not ignored,
        )


def read_ctm(path: Path) -> Iterator[Timed]:
    """`recording channel start duration word [confidence]`, a word a line.

    Raises:
        ValueError: for a line that is none, or with alternatives.
    """
    for place, line in _lines(path):
        columns = line.split()
        if len(columns) < 5:
            raise ValueError(f"{place}: expected recording, channel, start, duration, word")
        recording, channel, start, duration, word = columns[:5]
        if word.startswith("<ALT"):
            raise ValueError(f"{place}: alternatives (<ALT>) are not offered; write one")
        _refuse_choices(word, place)
        start_s = _seconds(start, place)
        end_s = start_s + _seconds(duration, place)
        yield Timed(
            session=f"{recording}-{channel}",
            speaker="",
            start_s=start_s,
            end_s=end_s,
            text=word,
        )


def read_seglst(path: Path) -> Iterator[Timed]:
    """A JSON list of segments with session_id, speaker, start_time, end_time and words.

    Raises:
        ValueError: where it is none.
    """
    try:
        segments = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected a JSON list of segments (SegLST); {error}") from error
    for number, segment in enumerate(segments, start=1):
        place = f"{path}, segment {number}"
        if not isinstance(segment, dict) or "words" not in segment or "session_id" not in segment:
            raise ValueError(f"{place}: expected session_id and words (SegLST)")
        words = segment["words"]
        if not isinstance(words, str):
            raise ValueError(f"{place}: words: expected a text; got {str(words)[:40]}")
        _refuse_choices(words, place)
        yield Timed(
            session=str(segment["session_id"]),
            speaker=str(segment.get("speaker", "")),
            start_s=_seconds(segment.get("start_time", 0), place),
            end_s=_seconds(segment.get("end_time", 0), place),
            text=words,
        )


def answers_of(pieces: Iterable[Timed]) -> Iterator[Answer]:
    """Segments as they are, each an utterance; without those that shall be ignored."""
    for piece in pieces:
        if not piece.scored:
            continue
        fields = {"session": piece.session}
        if piece.speaker:
            fields["speaker"] = piece.speaker
        if piece.label:
            fields["label"] = piece.label
        yield Answer(piece.id, piece.text, fields=fields)


def whole_recordings(words: Sequence[Timed]) -> Iterator[Answer]:
    """Words of each recording as one utterance, where nobody says where segments are."""
    by_session: dict[str, list[Timed]] = {}
    for word in words:
        by_session.setdefault(word.session, []).append(word)
    for session, of_session in by_session.items():
        recording, _, _ = session.rpartition("-")  # the channel goes
        yield Answer(recording or session, _in_order(of_session))


def put_into(segments: Sequence[Timed], pieces: Iterable[Timed]) -> Iterator[Answer]:
    """Pieces (words, or segments of another cut) put into the segments of the reference.

    Each goes where its middle lies, of several segments to that of its own speaker; one outside
    of all goes to the nearest of its recording. Segments that get nothing have empty hypotheses;
    those that shall be ignored take their words with them.
    What is of a recording without segments stays whole.

    Raises:
        ValueError: where no piece is of a recording that has segments.
    """
    by_session: dict[str, list[Timed]] = {}
    for segment in segments:
        by_session.setdefault(segment.session, []).append(segment)
    inside: dict[str, list[Timed]] = {segment.id: [] for segment in segments}
    strangers: list[Timed] = []
    for piece in pieces:
        candidates = by_session.get(piece.session, [])
        if not candidates:
            strangers.append(piece)
            continue
        nearest = min(candidates, key=piece.distance)
        inside[nearest.id].append(piece)
    if strangers and not any(inside.values()):
        raise ValueError(
            f"{strangers[0].session}: expected a recording and channel of the reference, as "
            f"{segments[0].session}; no line is of one"
        )
    for segment in segments:
        if segment.scored:
            yield Answer(segment.id, _in_order(inside[segment.id]))
    yield from whole_recordings(strangers)


def _refuse_choices(text: str, place: str) -> None:
    """ValueError for words of which some count and others need not be said, as NIST marks them."""
    if "{" in text:
        raise ValueError(f"{place}: alternatives ({{ a / b }}) are not offered; write one")
    if _OPTIONAL.search(text):
        raise ValueError(f"{place}: optional words ((uh)) are not offered; write them or not")


def _in_order(pieces: Sequence[Timed]) -> str:
    """The texts of pieces, by their beginnings."""
    ordered = sorted(pieces, key=lambda piece: piece.start_s)
    return " ".join(piece.text for piece in ordered)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Lines that are neither empty nor comments, each with its place."""
    for place, line in lines_of(path):
        if not line.startswith(_COMMENT):
            yield place, line.strip()


def _seconds(value: object, place: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{place}: expected a time in seconds; got {value!r}")
    return seconds
