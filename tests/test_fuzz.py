"""Broken input of every kind: a sentence and a status, never a traceback, a hang or a silent 0.

10,000 seeded inputs in the suite; with --all as many again by a seed of the day.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.cli import COMMANDS, main
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.run_cli import run_cli
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet, NGram

LONGEST_S = 10.0  # of one input; the usual ones take milliseconds
INPUTS = {"manifest": 2400, "header": 2400, "arpa": 3700, "checkpoint": 300, "flags": 1200}
BYTES = (b"\x00", b"\xff", b"\n", b'"', b"{", b"}", b"[", b",", b"\\", b"-", b"9", b"\xef\xbb\xbf")
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    float("inf"),
    2**70,
    "",
    "\u0000",
    "\ud83d\ude00 \u3042",
    "../../..",
    "x" * 5000,
    [],
    [[]],
    {},
    {"a": {}},
)
NUMBERS = ("0", "-1", "1e999", "nan", "inf", "", "x", "9" * 40, "-0.0", "1.5.2")
FLAGS = """
    --out --beam --lm --json --lexicon --ensemble --test --to --against --net --text --workers
    --sample --all-audio --run --device --video --enhanced --recogniser --draws --seed --pattern
    --dev-share --clip-s --runs --threads --samples --frames --as --valid --valid-share --part
    --speech --noise --rate-hz --gigabytes --least --transcript --nonsense -x --help --version
""".split()  # noqa: SIM905


def outcome(work: Callable[[], int | None]) -> tuple[int, str]:
    """Exit status and output; anything but SystemExit passes through, and so does a hang."""

    def too_long(number: int, frame: object) -> None:
        raise AssertionError(f"still at it after {LONGEST_S:g} s")

    output = io.StringIO()
    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                status = work() or 0
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return status, output.getvalue()


def damaged(dice: random.Random, content: bytes, head: int | None = None) -> bytes:
    """Some bytes changed, cut, doubled or put in, in the first `head` ones if there is one."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        end = max(1, min(len(data), head or len(data)))
        place = dice.randrange(end)
        what = dice.randrange(6)
        if what == 0 and data:
            data[place % len(data)] = dice.randrange(256)
        elif what == 1:
            data[place:place] = dice.choice(BYTES) * dice.randint(1, 4)
        elif what == 2:
            del data[place : place + dice.randint(1, 40)]
        elif what == 3:
            data[place:place] = data[place : place + dice.randint(1, 200)]
        elif what == 4:
            number = dice.choice((0, 1, 2**31 - 1, 2**32 - 1, 0x7FFFF000))
            data[place : place + 4] = number.to_bytes(4, "little")
        else:
            del data[place:]
    return bytes(data)


class World:
    """Whole inputs, of which broken ones are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        samples = 0.1 * np.random.default_rng(0).normal(size=400)
        soundfile.write(folder / "a.wav", samples, 8000)
        self.wave = (folder / "a.wav").read_bytes()
        self.line = {"audio_filepath": "a.wav", "text": "one two", "duration": 0.05, "offset": 0.0}
        self.arpa = (
            b"\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5\t<s>\t-0.3\n-0.6\t</s>\n"
            b"-0.7\tone\t-0.2\n-0.8\ttwo\t-0.1\n\n\\2-grams:\n-0.2\t<s> one\n-0.3\tone two\n\n"
            b"\\end\\\n"
        )
        torch.manual_seed(0)
        alphabet = Alphabet("ab ")
        spec = NetSpec(
            FrontSpec(rate_hz=8000, bands=4, n_fft=256), conv=(), layers=1, hidden=2, fc=()
        )
        payload = Recogniser.payload(build(spec, alphabet.size), spec_to(spec), alphabet, {})
        path = checkpoint.save(folder / "best.pt", payload)
        self.checkpoint = path.read_bytes()

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def pack(self, manifest: Path) -> None:
        """A command that reads a manifest and its sounds: 0 only where a line was packed."""
        out = self.folder / "packed"
        shutil.rmtree(out, ignore_errors=True)
        status, told = outcome(lambda: main(["prepare", "pack", str(manifest), "--out", str(out)]))
        if status == 0:
            lines = (out / manifest.name).read_text(encoding="utf-8").splitlines()
            assert lines, told
        else:
            assert told.startswith("ctcasr: "), told
            assert not list(out.glob("*.jsonl")) if out.is_dir() else True


def try_manifest(world: World, dice: random.Random) -> None:
    line = dict(world.line)
    if dice.random() < 0.7:
        line[dice.choice([*line, "speaker", "video_filepath", "label"])] = dice.choice(VALUES)
    content = (json.dumps(line) + "\n").encode() * dice.randint(1, 3)
    if dice.random() < 0.6:
        content = damaged(dice, content)
    world.pack(world.write("m.jsonl", content))


def try_header(world: World, dice: random.Random) -> None:
    world.write("b.wav", damaged(dice, world.wave, head=60))
    line = {"audio_filepath": "b.wav", "text": "one"}
    world.pack(world.write("m.jsonl", json.dumps(line).encode() + b"\n"))


def try_arpa(world: World, dice: random.Random) -> None:
    content = damaged(dice, world.arpa)
    if dice.random() < 0.3:
        words = content.split(b" ")
        words[dice.randrange(len(words))] = dice.choice(NUMBERS).encode()
        content = b" ".join(words)
    path = world.write("lm.arpa", content)

    def read() -> int:
        model = NGram.read(path)
        assert model.words and model.order >= 1
        return 0

    status, told = outcome(lambda: run_cli(read))
    assert status == 0 or told.startswith("ctcasr: "), told


def try_checkpoint(world: World, dice: random.Random) -> None:
    head = dice.choice((None, 400))
    path = world.write("broken.pt", damaged(dice, world.checkpoint, head))
    sound = str(world.folder / "a.wav")
    status, told = outcome(lambda: main(["transcribe", str(path), sound, "--json"]))
    if status == 0:
        assert json.loads(told.splitlines()[-1])["audio_filepath"] == sound
    else:
        assert "ctcasr: " in told, told


def try_flags(world: World, dice: random.Random) -> None:
    command = dice.choice([name for name in COMMANDS if name != "train"])
    missing = str(world.folder / "not-there")
    words = [command]
    for _ in range(dice.randint(0, 6)):
        kind = dice.randrange(4)
        if kind == 0:
            words.append(dice.choice(FLAGS))
        elif kind == 1:
            words += [dice.choice(FLAGS), dice.choice((*NUMBERS, missing))]
        else:
            words.append(dice.choice((missing, missing, "grid", "csv", "\u3042", "-", "--")))
    status, told = outcome(lambda: main(words))
    shows_help = any(word in ("-h", "--help", "--version") for word in words)
    assert status in (1, 2) or (shows_help and told), (words, status, told)
    assert told, words


KINDS: dict[str, Callable[[World, random.Random], None]] = {
    "manifest": try_manifest,
    "header": try_header,
    "arpa": try_arpa,
    "checkpoint": try_checkpoint,
    "flags": try_flags,
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    memory = Path("/dev/shm")  # thousands of small files need no disk
    if memory.is_dir():
        tmp_path = Path(tempfile.mkdtemp(dir=memory))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # 20 ms of waiting for a disk
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield World(tmp_path)
    torch.set_num_threads(threads)
    shutil.rmtree(tmp_path)


def fuzz(world: World, kind: str, seed: int) -> None:
    for number in range(INPUTS[kind]):
        name = f"{kind}:{seed}:{number}"
        try:
            KINDS[kind](world, random.Random(name))
        except BaseException as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error


needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no SIGALRM here")


@needs_alarm
@pytest.mark.parametrize("kind", KINDS)
def test_broken_input_is_told(world: World, kind: str) -> None:
    fuzz(world, kind, seed=0)


@needs_alarm
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_other_broken_input_is_told(world: World, kind: str) -> None:
    fuzz(world, kind, seed=int(time.time()) // 86400)


def test_ten_thousand_inputs() -> None:
    assert sum(INPUTS.values()) == 10_000
