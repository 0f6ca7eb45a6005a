"""last.pt holds all that a run needs to go on; best.pt nothing but what it is used for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError
from ctcasr.train import World
from ctcasr.train.checkpointer import Checkpointer, seed_rank
from ctcasr.train.line_losses import LineLosses
from ctcasr.train.meter import StepMeter
from ctcasr.train.state import TrainState


def made(task: Any, out: Path, world: World | None = None) -> Checkpointer:
    optimiser = torch.optim.AdamW(task.parameters(), lr=0.1)
    return Checkpointer(out, task, optimiser, TrainState(), StepMeter(), world or World())


def test_everything_comes_back(toy: Any, make_batch: Any, tmp_path: Path) -> None:
    writer = made(toy(), tmp_path)
    writer.task.step(make_batch("a"), 0).sum.backward()
    writer.optimiser.step()
    writer.state.step = 7
    generator = torch.get_rng_state()
    writer.save_last(named=["u1: gone"], order="abc")
    torch.manual_seed(99)
    reader = made(toy(), tmp_path)
    saved = reader.restore(seed=0)
    assert saved["named"] == ["u1: gone"] and saved["order"] == "abc" and reader.state.step == 7
    for a, b in zip(writer.task.parameters(), reader.task.parameters(), strict=True):
        assert torch.equal(a, b)
    assert reader.optimiser.state_dict()["state"].keys() == {0, 1}
    assert torch.equal(torch.get_rng_state(), generator)


def lines_that_ranks_resume_with(payload: Any, ranks: int, toy: Any, out: Path) -> list[list[str]]:
    """The lines whose losses each of so many processes has behind `restore`."""

    class Told(World):
        """A process to which rank 0 has told what last.pt holds."""

        def broadcast_object(self, value: Any) -> Any:
            return payload

    names = []
    for rank in range(ranks):
        reader = made(toy(), out, Told(rank, ranks))
        reader.restore(seed=0)
        names.append(list(reader.meter.lines.told()))
    return names


def test_every_process_goes_on_with_its_own_losses_of_lines_and_none_are_lost(
    toy: Any, tmp_path: Path
) -> None:
    def lines(name: str) -> LineLosses:
        losses = LineLosses()
        losses.add_rows([name], [1], torch.tensor([2.0]))
        return losses

    class Gathering(World):
        """Rank 0 of two."""

        def gather(self, value: Any) -> list[Any]:
            return [value, lines("b").state_dict() if "names" in value else value]

    writer = made(toy(), tmp_path, Gathering(0, 2))
    writer.meter.lines = lines("a")
    writer.save_last()
    payload = checkpoint.load(tmp_path / "last.pt")
    assert lines_that_ranks_resume_with(payload, 1, toy, tmp_path) == [["a", "b"]]
    assert lines_that_ranks_resume_with(payload, 2, toy, tmp_path) == [["a"], ["b"]]
    assert lines_that_ranks_resume_with(payload, 3, toy, tmp_path) == [["a"], ["b"], []]
    # An older version wrote those of rank 0.
    payload["training"]["meter"]["lines"] = payload["training"].pop("lines")[0]
    assert lines_that_ranks_resume_with(payload, 2, toy, tmp_path) == [["a"], []]
    del payload["training"]["meter"]["lines"]
    assert lines_that_ranks_resume_with(payload, 2, toy, tmp_path) == [[], []]


def test_an_optimiser_computes_as_its_device_wants_whoever_saved(
    toy: Any, make_batch: Any, tmp_path: Path
) -> None:
    writer, reader = made(toy(), tmp_path), made(toy(), tmp_path)
    writer.task.step(make_batch("a"), 0).sum.backward()
    writer.optimiser.step()
    writer.save_last(named=[], order="")
    reader.optimiser = torch.optim.AdamW(reader.task.parameters(), lr=0.5, fused=True)
    reader.restore(seed=0)
    (group,) = reader.optimiser.param_groups
    assert group["fused"] and group["lr"] == 0.1
    for task, optimiser in ((writer.task, writer.optimiser), (reader.task, reader.optimiser)):
        task.network.zero_grad()
        task.step(make_batch("b"), 1).sum.backward()
        optimiser.step()
    for a, b in zip(writer.task.parameters(), reader.task.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_best_is_without_the_training_state_and_cannot_be_resumed(toy: Any, tmp_path: Path) -> None:
    writer = made(toy(), tmp_path)
    writer.save_best()
    best = checkpoint.load(tmp_path / "best.pt")
    assert "training" not in best and best["kind"] == "toy"
    (tmp_path / "best.pt").rename(tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match="expected the state of a training run"):
        writer.restore(seed=0)


def test_other_ranks_write_nothing_and_draw_other_numbers(toy: Any, tmp_path: Path) -> None:
    made(toy(), tmp_path, World(1, 1)).save_best()
    assert list(tmp_path.iterdir()) == []
    draws = []
    for rank in range(3):
        torch.manual_seed(5)
        seed_rank(5, World(rank, 3))
        draws.append(float(torch.rand(())))
    assert len(set(draws)) == 3
    torch.manual_seed(5)
    assert draws[0] == float(torch.rand(()))
