"""`ctcasr transcribe`: a line for each file; what cannot be read does not stop the others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.cli import main
from ctcasr.commands.transcribe import ENDINGS
from ctcasr.compare.sclite import read_ctm

ROOT = Path(__file__).resolve().parents[2]


def test_a_line_for_each_file_in_order(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(recordings.with_name(f"{name}.wav")) for name in "ab"]
    assert main(["transcribe", str(recogniser), *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == files
    assert main(["transcribe", str(recogniser), files[0]]) == 0
    assert capsys.readouterr().out.rstrip("\n") == lines[0].split("\t")[1]


def test_json_has_words_with_times(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(recordings.with_name("a.wav"))
    assert main(["transcribe", str(recogniser), file, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["audio_filepath"] == file and line["duration"] == 1.0
    assert line["alternatives"] == []
    assert " ".join(word["word"] for word in line["words"]) == line["text"]
    assert all(0 <= word["start_s"] < word["end_s"] <= 1.1 for word in line["words"])
    assert all(0 < word["confidence"] <= 1 for word in line["words"])


def test_the_keys_of_json_are_those_that_the_document_explains(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "transcripts.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    file = str(recordings.with_name("a.wav"))
    flags = ["--format", "json", "--beam", "4", "--nbest", "3"]
    assert main(["transcribe", str(recogniser), file, *flags]) == 0
    line = json.loads(capsys.readouterr().out)
    assert len(line["alternatives"]) == 2
    written = set(line)
    for hypothesis in [line, *line["alternatives"]]:
        written |= set(hypothesis) | set(hypothesis["words"][0])
    assert written == explained
    totals = [entry["score"] + entry["bonus"] for entry in [line, *line["alternatives"]]]
    assert totals == sorted(totals, reverse=True)


READERS = {
    "text": lambda text: text.split(),
    "json": lambda text: [word["word"] for word in json.loads(text)["words"]],
    "srt": lambda text: [line for block in text.split("\n\n") for line in words_of_cue(block, 2)],
    "vtt": lambda text: [
        word
        for block in text.removeprefix("WEBVTT\n\n").split("\n\n")
        for word in words_of_cue(re.sub(r"<[\d:.]+>", "", block), 1)
    ],
    "ctm": lambda text: [line.split()[4] for line in text.splitlines()],
    "textgrid": lambda text: re.findall(r'text = "(.+)"', text),
}


def words_of_cue(block: str, heading: int) -> list[str]:
    return " ".join(block.splitlines()[heading:]).split()


@pytest.mark.parametrize("name", ENDINGS)
def test_every_format_has_the_same_words(
    name: str, recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(recordings.with_name(f"{stem}.wav")) for stem in "ab"]
    expected = []
    for file in files:
        assert main(["transcribe", str(recogniser), file]) == 0
        expected.append(capsys.readouterr().out.split())
    assert main(["transcribe", str(recogniser), files[0], "--format", name]) == 0
    assert READERS[name](capsys.readouterr().out) == expected[0] != []
    out = recordings.with_name("texts")
    flags = ["--format", name, "--out", str(out)]
    assert main(["transcribe", str(recogniser), *files, *flags]) == 0
    written = [out / f"{stem}{ENDINGS[name]}" for stem in "ab"]
    assert capsys.readouterr().out.split() == [str(path) for path in written]
    texts = [path.read_bytes().decode("utf-8") for path in written]
    assert [READERS[name](text) for text in texts] == expected
    assert all("\r" not in text for text in texts)


def test_the_ending_of_out_chooses_the_format(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(recordings.with_name(f"{stem}.wav")) for stem in "ab"]
    out = recordings.with_name("both.ctm")
    assert main(["transcribe", str(recogniser), *files, "--out", str(out)]) == 0
    assert {timed.session for timed in read_ctm(out)} == {"a-1", "b-1"}
    grid = recordings.with_name("a.TEXTGRID")
    assert main(["transcribe", str(recogniser), files[0], "--out", str(grid)]) == 0
    assert grid.read_text("utf-8").startswith('File type = "ooTextFile"')


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--out", "a.doc"], "expected --format with it"),
        (["--out", "folder"], "expected --format with it"),
        (["--format", "srt"], "expected --out FOLDER"),
        (["--out", "both.srt"], "expected --out FOLDER"),
        (["--json", "--format", "srt"], "expected no other format"),
        (["--cue-words", "1"], "expected --format srt or vtt"),
        (["--cue-words", "0", "--out", "a.srt"], "expected 1 or more"),
        (["--nbest", "3", "--json"], "--beam N with it"),
        (["--nbest", "0"], "expected 1 or more"),
        (["x/a.wav", "--format", "ctm"], "names that differ"),
        (["a b.wav", "a_b.wav", "--format", "ctm"], "both would be a_b"),
        (["a.wav", "--format", "ctm"], "names that differ"),
        (["a.wav", "--out", "folder/", "--json"], "names that differ"),
    ],
)
def test_a_wish_that_cannot_be_followed_is_a_sentence_before_anything_is_read(
    flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "no-such.pt", "a.wav", "b.wav", *flags]) == 1
    assert sentence in capsys.readouterr().err


def test_a_file_in_the_place_of_a_folder_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "result").write_text("mine", encoding="utf-8")
    command = ["transcribe", "no-such.pt", "a.wav", "--json", "--out", str(tmp_path / "result")]
    assert main(command) == 1
    assert "expected a folder" in capsys.readouterr().err


def test_nothing_is_written_where_nothing_could_be_read(
    recogniser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.srt"
    assert main(["transcribe", str(recogniser), "gone.wav", "--out", str(out)]) == 1
    assert not out.exists() and "gone.wav" in capsys.readouterr().err


def test_the_others_are_written_where_one_cannot_be_read(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(recordings.with_name(f"{name}.wav")) for name in ("a", "gone", "c")]
    assert main(["transcribe", str(recogniser), *files]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2 and "gone.wav" in captured.err


def test_a_japanese_name_is_no_matter(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = recordings.with_name("\u97f3\u58f0.wav")
    recordings.with_name("a.wav").rename(name)
    assert main(["transcribe", str(recogniser), str(name), str(name)]) == 0
    assert str(name) in capsys.readouterr().out


def test_what_lasts_long_is_heard_in_pieces_unless_it_is_to_be_heard_whole(
    recogniser: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, rate_hz = soundfile.read(recordings.with_name("a.wav"), dtype="float32")
    long = recordings.with_name("long.wav")
    repeats = int(31 * rate_hz / len(sound)) + 1
    soundfile.write(long, np.concatenate([sound] * repeats), rate_hz)
    assert main(["transcribe", str(recogniser), str(long), "--json"]) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    starts = [word["start_s"] for word in words]
    assert starts and starts == sorted(starts)
    assert main(["transcribe", str(recogniser), str(long), "--whole"]) == 0


def test_a_short_file_waits_for_no_compiler_and_no_statistics(
    recogniser: Path, recordings: Path
) -> None:
    file = recordings.with_name("a.wav")
    code = (
        "import sys; from ctcasr.cli import main; "
        f"status = main(['transcribe', {str(recogniser)!r}, {str(file)!r}]); "
        "print(status, sorted({'numba', 'scipy', 'jiwer', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
