"""`ctcasr transcribe`: a line for each file; what cannot be read does not stop the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.cli import main


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
    assert line["audio_filepath"] == file and set(line) == {
        "audio_filepath",
        "text",
        "score",
        "words",
    }
    assert " ".join(word["word"] for word in line["words"]) == line["text"]
    assert all(0 <= word["start_s"] < word["end_s"] <= 1.1 for word in line["words"])


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
