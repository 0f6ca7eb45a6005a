"""Text on any terminal and into any pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.show.terminal import TextConsole, print_line, printable

ROOT = Path(__file__).parents[2]


@given(st.text(st.characters()), st.sampled_from(["ascii", "cp1252", "utf-8"]))
def test_everything_is_printable_in_every_encoding(text: str, encoding: str) -> None:
    printable(text, encoding).encode(encoding)
    if text.isascii():
        assert printable(text, encoding) == text


def test_what_the_pipe_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    console = TextConsole(file=io.TextIOWrapper(raw, encoding="cp1252"), width=40)
    print_line(console, "zażółć \udcff [bold] é")
    console.file.flush()
    assert (
        raw.getvalue().decode("cp1252").rstrip()
        == "za\\u017c\\xf3\\u0142\\u0107".replace("\\xf3", "ó") + " \\udcff [bold] é"
    )


def test_a_closed_pipe_is_an_error_and_no_exit() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        TextConsole(file=Closed()).print("text")


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe as POSIX has it")
def test_a_run_goes_on_when_nobody_reads_it() -> None:
    program = (
        "import sys\n"
        "from ctcasr.records import EventRecord\n"
        "from ctcasr.show import watch\n"
        "records = (EventRecord(step=k, message='x' * 1000) for k in range(500))\n"
        "print(sum(1 for _ in watch(records)), file=sys.stderr)\n"
    )
    read_end, write_end = os.pipe()
    os.close(read_end)
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE
    )
    os.close(write_end)
    assert outcome.stderr.split()[0] == b"500", outcome.stderr.decode()
