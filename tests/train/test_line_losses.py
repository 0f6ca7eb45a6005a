"""The loss of each line: who stands out, and when that tells."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import StarSchedule
from ctcasr.recognise import Objective
from ctcasr.records import CheckRecord, EpochRecord, read_records
from ctcasr.seq import Seq
from ctcasr.train import TrainConfig, fit
from ctcasr.train.line_losses import HeardLines, LineLosses, tells


def batch(*names: str, symbols: int) -> Batch:
    """Lines of so many symbols each."""
    return Batch(
        tuple(Utterance(Path(f"{name}.wav"), where=f"m.jsonl:{name}") for name in names),
        Seq.stack([torch.zeros(8)] * len(names), 8000),
        torch.ones(symbols * len(names), dtype=torch.int64),
        (symbols,) * len(names),
    )


def test_losses_are_those_of_a_symbol_and_impossible_lines_have_none() -> None:
    losses = LineLosses()
    losses.add(batch("1", "2", "3", symbols=4), torch.tensor([8.0, 0.0, torch.inf]))
    losses.add(batch("4", symbols=2), torch.tensor([1.0]))
    assert losses.told() == {"m.jsonl:1 (1)": 2.0, "m.jsonl:4 (4)": 0.5}
    assert losses.mean() == 4.5  # of the lines that have an alignment
    losses.clear()
    assert losses.told() == {} and math.isnan(losses.mean())


def test_a_batch_without_symbols_or_rows_tells_nothing() -> None:
    losses = LineLosses()
    losses.add(batch("1", symbols=0), torch.tensor([8.0]))
    losses.add(batch("1", symbols=3), None)
    assert losses.told() == {}


def test_a_checkpoint_keeps_the_epoch_so_far() -> None:
    losses = LineLosses()
    losses.add(batch("1", symbols=2), torch.tensor([8.0]))
    other = LineLosses()
    other.load_state_dicts([losses.state_dict()])
    other.add(batch("2", symbols=2), torch.tensor([2.0]))
    assert other.told() == {"m.jsonl:1 (1)": 4.0, "m.jsonl:2 (2)": 1.0}


def lines_of(loss: float, **others: float) -> dict[str, float]:
    """Losses of forty lines about one, and of some more."""
    even = {f"line {number}": loss * (1 + 0.01 * number) for number in range(40)}
    return even | others


def named(heard: HeardLines) -> list[str]:
    """The suspects' names."""
    return [line["line"] for line in heard.suspects()]


def test_who_stands_out_each_time_is_a_suspect_and_who_does_once_is_none() -> None:
    heard = HeardLines()
    heard.add(lines_of(0.2, wrong=4.0, masked=0.2))
    assert named(heard) == []  # once is not enough
    heard.add(lines_of(0.2, wrong=5.0, masked=4.0))
    assert named(heard) == ["wrong"]
    for _ in range(3):  # what a line cost long ago counts no more
        heard.add(lines_of(0.2, wrong=0.2, masked=4.0))
    assert named(heard) == ["masked"]


def test_lines_that_others_took_the_place_of_keep_what_they_cost() -> None:
    heard = HeardLines()
    heard.add(lines_of(0.2, wrong=4.0))
    for _ in range(5):
        heard.add(lines_of(0.2))
    heard.add(lines_of(0.2, wrong=4.0))
    assert named(heard) == ["wrong"]


def test_a_checkpoint_keeps_what_was_heard() -> None:
    heard = HeardLines()
    heard.add(lines_of(0.2, wrong=4.0))
    other = HeardLines()
    other.load_state_dict(heard.state_dict())
    other.add(lines_of(0.2, wrong=4.0))
    assert named(other) == ["wrong"] and named(heard) == []


def heard_twice(losses: dict[str, float]) -> HeardLines:
    """What two epochs with these losses leave."""
    heard = HeardLines()
    heard.add(losses)
    heard.add(losses)
    return heard


def test_an_older_checkpoint_of_losses_alone_is_left_out() -> None:
    heard = HeardLines()
    heard.load_state_dict({"m.jsonl:1": [0.5, 0.25], "m.jsonl:2": []})
    assert heard.suspects() == []
    heard.add({"m.jsonl:1": 0.5})
    assert len(heard.state_dict()["m.jsonl:1"]) == 1


def test_the_worst_stand_out_first() -> None:
    found = heard_twice(lines_of(0.2, bad=7.0, worse=9.0)).suspects()
    assert [line["line"] for line in found] == ["worse", "bad"]
    assert named(heard_twice(lines_of(0.2))) == []
    assert named(heard_twice({"bad": 7.0, "worse": 9.0})) == []  # among so few nothing stands out


def test_a_hard_line_of_a_long_tail_is_no_suspect() -> None:
    harder_by_a_tenth = {f"line {number}": 0.01 * 1.1**number for number in range(50)}
    assert max(harder_by_a_tenth.values()) > 1.0 and named(heard_twice(harder_by_a_tenth)) == []


def test_with_which_the_network_agrees_is_no_suspect() -> None:
    assert named(heard_twice(lines_of(0.001, harder=0.4))) == []


def test_what_a_young_network_found_hard_is_no_suspect_later() -> None:
    heard = heard_twice(lines_of(2.0, spliced_away=2.4))
    for _ in range(5):
        heard.add(lines_of(0.1))
    assert named(heard) == []


def test_losses_below_zero_tell_nothing() -> None:
    heard = HeardLines()
    heard.add({})
    heard.add(lines_of(-0.2, wrong=4.0))
    assert heard.state_dict() == {}


@pytest.mark.parametrize(
    ("epoch", "train_loss", "dev_loss", "expected"),
    [
        (1, 50.0, None, False),
        (2, 50.0, None, True),
        (6, 50.0, None, False),
        (1, 50.0, 50.0, False),
        (9, 40.0, 50.0, True),
        (9, 20.0, 50.0, False),
    ],
)
def test_they_tell_until_lines_are_known_by_heart(epoch, train_loss, dev_loss, expected) -> None:
    history = [] if dev_loss is None else [CheckRecord(step=1, loss=dev_loss)]
    assert tells(epoch, train_loss, history) is expected


def test_fit_tells_of_them_from_the_second_epoch_on(recogniser_parts, tmp_path) -> None:
    task, train, _ = recogniser_parts()
    config = TrainConfig(epochs=7, device="cpu")
    records = list(fit(task, train, None, out=tmp_path, config=config))
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    told = ["suspects" in record.details for record in epochs]
    assert told == [False, True, True, True, True, False, False]
    again = [record for record in read_records(tmp_path) if isinstance(record, EpochRecord)]
    assert [record.details for record in again] == [record.details for record in epochs]


def test_what_was_made_is_no_line(recogniser_parts) -> None:
    _, train, _ = recogniser_parts()
    batch = next(iter(train.epoch(0)))
    assert batch is not None
    first, *others = batch.utterances
    batch = replace(batch, utterances=(replace(first, made=True), *others))
    losses = LineLosses()
    losses.add(batch, torch.ones(len(batch)))
    assert list(losses.told()) == [utterance.full_name for utterance in others]
    assert losses.mean() == 1.0


def test_losses_below_zero_are_told_and_rows_without_alignment_are_not() -> None:
    losses = LineLosses()
    losses.add_rows(["a", "b", "c"], [2, 4, 1], torch.tensor([-3.0, 0.0, torch.inf]))
    assert losses.told() == {"a": -1.5}


def test_with_a_star_they_are_those_of_the_transcripts_as_they_stand(
    recogniser_parts,
) -> None:
    task, train, _ = recogniser_parts()
    batch = next(iter(train.epoch(0)))
    assert batch is not None
    task.network.eval()  # without dropout
    plain = task.step(batch, 0)
    task.objective = Objective(star=StarSchedule.parse("-2,-2", steps=1))
    starred = task.step(batch, 0)
    assert plain.of_lines is plain.rows and not torch.allclose(starred.rows, plain.rows)
    assert torch.allclose(starred.of_lines, plain.rows, rtol=1e-4)


def test_losses_from_before_a_stop_come_to_the_device_of_those_since() -> None:
    losses = LineLosses()
    losses.add_rows(["a"], [2], torch.tensor([6.0]))
    losses.add_rows(["b"], [2], torch.zeros(1, device="meta"))
    assert losses._all_rows().device.type == "meta"
