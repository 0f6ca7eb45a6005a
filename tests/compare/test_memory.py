"""What is remembered: texts by recogniser and sound, metrics by sounds; failures are not."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest
import torch

from ctcasr.compare import memory as memories
from ctcasr.compare.function_judge import FunctionJudge
from ctcasr.compare.memory import HEARD, MEASURED, Memory, sound_key
from ctcasr.compare.metrics import Metrics, split
from ctcasr.text import plain_words


def judge(fingerprint: str) -> FunctionJudge:
    return FunctionJudge("j", lambda sounds, rate_hz: [""] * len(sounds), plain_words, fingerprint)


def test_what_was_heard_is_not_heard_again(tmp_path: Path) -> None:
    keys = [sound_key(torch.zeros(8)), sound_key(torch.ones(8))]
    Memory(tmp_path).add(judge("a"), 8000, {keys[0]: "one", keys[1]: ValueError("too loud")})
    with (tmp_path / HEARD).open("a") as file:
        file.write('["torn')
    again = Memory(tmp_path)
    assert again.texts(judge("a"), 8000) == {keys[0]: "one"}  # failures are tried again
    assert not again.texts(judge("a"), 16000) and not again.texts(judge("b"), 8000)
    again.add(judge(""), 8000, {keys[1]: "two"})  # nobody knows when that one changes
    assert not Memory(tmp_path).texts(judge(""), 8000)


def test_equal_samples_have_one_key() -> None:
    assert sound_key(torch.zeros(8)) == sound_key(torch.zeros(16)[::2]) != sound_key(torch.ones(8))


def test_metrics_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def measure(*sounds: object) -> Metrics:
        calls.append(sounds)
        failed = {} if len(calls) > 1 else {"split_sdr_db": "one of them is silent"}
        return Metrics({"si_sdr_db": 3.5}, failed)

    monkeypatch.setattr(memories, "measure", measure)
    names = [name for metrics in memories.PACKAGES.values() for name in metrics]
    monkeypatch.setattr(memories, "absent_metrics", lambda: frozenset(names))
    samples, clean = torch.ones(8), torch.zeros(8)
    memory = Memory(tmp_path)
    assert memory.measure(samples, clean, None, 8000).failed  # and is tried again
    memory.measure(samples, clean, None, 8000)
    assert Memory(tmp_path).measure(samples, clean, None, 8000).scores == {"si_sdr_db": 3.5}
    assert len(calls) == 2
    memory.measure(samples, clean, samples, 8000)
    assert len(calls) == 3


@pytest.mark.parametrize("compared", [True, False])
def test_a_metric_that_can_be_had_by_now_is_measured(
    compared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "pesq" if compared else "dnsmos_ovrl"
    absent = frozenset(memories.PACKAGES["pystoi"])
    lacking = absent | {"pesq", *memories.DNSMOS}
    failed = {"pesq": "ImportError"} if compared else {}
    monkeypatch.setattr(memories, "measure", lambda *_: Metrics({"si_sdr_db": 3.5}, dict(failed)))
    monkeypatch.setattr(memories, "absent_metrics", lambda: lacking)
    samples = torch.ones(8)
    clean = torch.zeros(8) if compared else None
    Memory(tmp_path).measure(samples, clean, None, 8000)
    now = Metrics({"pesq": 2.0} | dict.fromkeys(memories.DNSMOS, 3.0))
    monkeypatch.setattr(memories, "measure", lambda *_: now)
    # What is not installed makes nothing be measured again, and is told as before.
    again = Memory(tmp_path).measure(samples, clean, None, 8000)
    assert again.scores == {"si_sdr_db": 3.5}
    assert again.failed.keys() == ({"pesq", "stoi", "estoi"} if compared else set())
    monkeypatch.setattr(memories, "absent_metrics", lambda: absent)
    assert name in Memory(tmp_path).measure(samples, clean, None, 8000).scores


def test_conditions_of_a_scene_are_split_as_each_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    clean, interferer, other = torch.randn(3, 1200, generator=draw)
    memory = Memory()
    for scene in ((clean, interferer), (interferer, clean)):
        for estimate in (clean + interferer, clean + 0.3 * other, other[:1000]):
            parts = memory._split(estimate, *scene)
            alone = split(estimate, *scene)
            assert astuple(parts) == pytest.approx(astuple(alone))


FOREIGN = [
    b"null",
    b"{}",
    b'"ab"',
    b"5",
    b'{"a": 1, "b": 2}',
    b"[1, 2, 3]",
    b'["name"]',
    b'["a:8000:zz", "no key"]',
    b'["a:8000:", "no key"]',
    b'["a:8000:00", 5]',
    b"[[1], {}]",
    b"\xf8\xff random \x00 bytes",
    b"\0" * 64,
    b"[" * 100_000,
]


@pytest.mark.parametrize("line", FOREIGN)
def test_lines_that_are_none_are_passed_over(tmp_path: Path, line: bytes) -> None:
    keys = [sound_key(torch.zeros(8)), sound_key(torch.ones(8))]
    for name in (HEARD, MEASURED):
        (tmp_path / name).write_bytes(line + b"\n")
    memory = Memory(tmp_path)
    memory.add(judge("a"), 8000, {keys[0]: "one"})
    with (tmp_path / HEARD).open("ab") as file:
        file.write(line + b"\n")
    Memory(tmp_path).add(judge("a"), 8000, {keys[1]: "two"})
    assert Memory(tmp_path).texts(judge("a"), 8000) == {keys[0]: "one", keys[1]: "two"}
    assert not memory.measured


@pytest.mark.parametrize("scores", ["5", '["pesq"]', '{"pesq": "2"}', '{"pesq": NaN}'])
def test_scores_that_are_no_numbers_are_measured_again(tmp_path: Path, scores: str) -> None:
    lines = f'["foreign", {scores}]\n["own", {{"pesq": 2.5}}]\n'
    (tmp_path / MEASURED).write_text(lines, encoding="utf-8")
    assert Memory(tmp_path).measured == {"own": {"pesq": 2.5}}
