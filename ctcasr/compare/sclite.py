"""NIST's files: .trn, .stm and .ctm; and SegLST, which is timed as .stm is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcasr.compare.results import Answer

_COMMENT = ";;"
_IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"
_LABELS = re.compile(r"<[^>]*>")
_TRN = re.compile(r"^(.*?)\s*\(([^()\s]+)\)\s*$")
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

    @property
    def middle_s(self) -> float:
        """Where it belongs."""
        return (self.start_s + self.end_s) / 2

    @property
    def id(self) -> str:
        """A name by place, to 10 ms."""
        speaker = f"-{self.speaker}" if self.speaker else ""
        return f"{self.session}{speaker}-{self.start_s:.2f}-{self.end_s:.2f}"


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
        if "{" in text:
            raise ValueError(f"{place}: alternatives ({{ a / b }}) are not offered; write one")
        speaker = _SPEAKER.split(found[2])[0]
        fields = {"speaker": speaker} if speaker != found[2] else {}
        yield Answer(found[2], text, fields=fields)


def read_stm(path: Path) -> Iterator[Timed]:
    """`recording channel speaker start end [<labels>] text`, a segment a line.

    Raises:
        ValueError: for a line that is none.
    """
    for place, line in _lines(path):
        parts = line.split(None, 5)
        if len(parts) < 5:
            raise ValueError(f"{place}: expected recording, channel, speaker, start, end, text")
        text = parts[5] if len(parts) > 5 else ""
        labels = _LABELS.match(text)
        label = labels[0] if labels else ""
        text = text[len(label) :].strip()
        if text == _IGNORED.lower() or text == _IGNORED:
            continue
        start_s = _seconds(parts[3], place)
        end_s = _seconds(parts[4], place)
        yield Timed(f"{parts[0]}-{parts[1]}", parts[2], start_s, end_s, text, label.strip("<>"))


def read_ctm(path: Path) -> Iterator[Timed]:
    """`recording channel start duration word [confidence]`, a word a line.

    Raises:
        ValueError: for a line that is none, or with alternatives.
    """
    for place, line in _lines(path):
        parts = line.split()
        if len(parts) < 5:
            raise ValueError(f"{place}: expected recording, channel, start, duration, word")
        if parts[4].startswith("<ALT"):
            raise ValueError(f"{place}: alternatives (<ALT>) are not offered; write one")
        start_s = _seconds(parts[2], place)
        end_s = start_s + _seconds(parts[3], place)
        yield Timed(f"{parts[0]}-{parts[1]}", "", start_s, end_s, parts[4])


def read_seglst(path: Path) -> Iterator[Timed]:
    """A JSON list of segments with session_id, speaker, start_time, end_time and words.

    Raises:
        ValueError: where it is none.
    """
    segments = json.loads(path.read_text(encoding="utf-8-sig"))
    for number, segment in enumerate(segments, start=1):
        place = f"{path}, segment {number}"
        if not isinstance(segment, dict) or "words" not in segment or "session_id" not in segment:
            raise ValueError(f"{place}: expected session_id and words (SegLST)")
        yield Timed(
            session=str(segment["session_id"]),
            speaker=str(segment.get("speaker", "")),
            start_s=_seconds(segment.get("start_time", 0), place),
            end_s=_seconds(segment.get("end_time", 0), place),
            text=str(segment["words"]),
        )


def answers_of(pieces: Iterable[Timed]) -> Iterator[Answer]:
    """Segments as they are, each an utterance."""
    for piece in pieces:
        fields = {"session": piece.session}
        if piece.speaker:
            fields["speaker"] = piece.speaker
        if piece.label:
            fields["label"] = piece.label
        yield Answer(piece.id, piece.text, fields=fields)


def whole_recordings(words: Sequence[Timed]) -> Iterator[Answer]:
    """Words of each recording as one utterance, where nobody says where segments are."""
    for session in dict.fromkeys(word.session for word in words):
        of_session = [word for word in words if word.session == session]
        of_session.sort(key=lambda word: word.start_s)
        text = " ".join(word.text for word in of_session)
        yield Answer(session.rpartition("-")[0] or session, text)


def put_into(segments: Sequence[Timed], pieces: Iterable[Timed]) -> Iterator[Answer]:
    """Pieces (words, or segments of another cut) put into the segments of the reference.

    Each goes where its middle lies, of several segments to that of its own speaker; one outside
    of all goes to the nearest of its recording. Segments that get nothing have empty hypotheses.
    """
    by_session: dict[str, list[int]] = {}
    for index, segment in enumerate(segments):
        by_session.setdefault(segment.session, []).append(index)
    texts: list[list[Timed]] = [[] for _ in segments]
    for piece in pieces:
        own = by_session.get(piece.session, [])
        if own:
            texts[min(own, key=lambda index: _distance(segments[index], piece))].append(piece)
    for segment, inside in zip(segments, texts, strict=True):
        inside.sort(key=lambda piece: piece.start_s)
        yield Answer(segment.id, " ".join(piece.text for piece in inside))


def _distance(segment: Timed, piece: Timed) -> tuple[float, bool, float]:
    """How far a piece is from a segment: seconds outside, another speaker, seconds off middle."""
    outside_s = max(segment.start_s - piece.middle_s, piece.middle_s - segment.end_s, 0.0)
    stranger = bool(piece.speaker) and piece.speaker != segment.speaker
    return outside_s, stranger, abs(segment.middle_s - piece.middle_s)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Lines that are neither empty nor comments, each with its place."""
    text = path.read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith(_COMMENT):
            yield f"{path}:{number}", line.strip()


def _seconds(value: object, place: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ValueError(f"{place}: expected a time in seconds; got {value!r}") from None
