"""Several processes take every step as one would: tones, gloo, double precision, no dropout."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.records import read_records

PROGRAM = Path(__file__).with_name("synced_program.py")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
NET = """
layers = 1
hidden = 8
dropout = 0.1
conv = [{channels = 2, kernel = [3, 3], stride = [2, 2]}]
[front]
rate_hz = 8000
bands = 20
n_fft = 256
"""
Start = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def manifests(
    tones: tuple[Utterance, ...], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """13 lines to learn from: batches of 4, 4, 4 and 1 as they stand.

    Of the second batch rank 0 of two can read nothing.
    """
    folder, found = tmp_path_factory.mktemp("manifests"), {}
    lines = [
        {"audio_filepath": str(u.audio_filepath), "duration": u.duration, "text": u.text}
        for u in tones
    ]
    train = lines[:13]
    train[4] = {**train[4], "audio_filepath": str(folder / "gone4.wav")}
    train[6] = {**train[6], "audio_filepath": str(folder / "gone6.wav")}
    train[9] = {**train[9], "text": "abcabcabc" * 5}  # no alignment
    for name, part in (("train", train), ("dev", lines[9:])):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in part), encoding="utf-8")
        found[name] = str(path)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """A process that forks others."""
    env = {
        key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")
    } | ENVIRONMENT
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def start(
    server: subprocess.Popen[str],
    manifests: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Start:
    """start(world, **settings): run the program in so many processes; what each of them wrote."""

    def starter(world: int, out: Path | None = None, **settings: Any) -> dict[str, Any]:
        out = out or tmp_path_factory.mktemp("run") / "run"
        page, port = f"{out}.txt", free_port()
        envs = [
            {
                "RANK": str(r),
                "WORLD_SIZE": str(world),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            }
            for r in range(world)
        ]
        assert server.stdin is not None and server.stdout is not None
        job = {
            "settings": write_settings(manifests, out, settings),
            "page": page,
            "processes": envs,
        }
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        assert json.loads(server.stdout.readline()) == [0] * world, Path(page).read_text(
            encoding="utf-8"
        )
        return result(out, world)

    return starter


def write_settings(manifests: dict[str, str], out: Path, settings: dict[str, Any]) -> str:
    file = Path(f"{out}.json")
    common = {**manifests, "out": str(out), "batch_size": 4, "order": "manifest", "epochs": 5}
    file.write_text(json.dumps({**common, **settings}), encoding="utf-8")
    return str(file)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def result(out: Path, world: int) -> dict[str, Any]:
    return {
        "ranks": [
            json.loads(Path(f"{out}.rank{r}.json").read_text(encoding="utf-8"))
            for r in range(world)
        ],
        "out": out,
    }


@pytest.fixture(scope="module")
def alone(start: Start) -> dict[str, Any]:
    """The run of one process."""
    return start(1)


def losses(run: dict[str, Any]) -> list[tuple[int, float]]:
    return [(r.step, r.data["loss"]) for r in read_records(run["out"]) if r.kind == "step"]


def checks(run: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("loss", "wer", "cer", "utterances")
    return [
        {name: r.data[name] for name in names}
        for r in read_records(run["out"])
        if r.kind == "check"
    ]


def assert_same_run(one: dict[str, Any], many: dict[str, Any]) -> None:
    a, b = losses(one), losses(many)
    assert len(a) == 20 and [step for step, _ in a] == [step for step, _ in b]
    assert [x for _, x in b] == pytest.approx([x for _, x in a], rel=1e-5)
    for x, y in zip(checks(one), checks(many), strict=True):
        assert y == pytest.approx(x, rel=1e-5)
    for rank in many["ranks"]:
        for name, values in one["ranks"][0][
            "weights"
        ].items():  # running statistics and label priors on every rank
            assert torch.allclose(
                torch.tensor(rank["weights"][name]), torch.tensor(values), rtol=1e-6, atol=1e-7
            ), name


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = (checkpoint.load(run["out"] / "last.pt")["network"] for run in (one, other))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def utterances_named(run: dict[str, Any], what: str) -> list[str]:
    return sorted(
        line
        for r in read_records(run["out"])
        if r.kind == "event" and r.data["reason"] == what
        for line in r.data["ids"]
    )


def test_two_processes_are_one(alone: dict[str, Any], start: Start) -> None:
    two = start(2)
    assert_same_run(alone, two)
    assert [[] in rank["trained"] for rank in two["ranks"]] == [True, True]  # each ran dry
    # Every utterance is learnt from once in an epoch and counts once in a check; only rank 0 tells.
    epoch = [name for rank in two["ranks"] for names in rank["trained"][-4:] for name in names]
    assert len(epoch) == len(set(epoch)) == 11
    parts = [[name for names in rank["checked"] for name in names] for rank in two["ranks"]]
    checked = parts[0] + parts[1]
    assert (
        len(checked) == 35
        and all(checked.count(name) == 5 for name in checked)
        and not set(parts[0]) & set(parts[1])
        and parts[1]
    )
    assert two["ranks"][1]["records"] == 0
    assert [c["utterances"] for c in checks(two)] == [7] * 5
    for what, count in (("unreadable", 2), ("infeasible", 1)):
        assert (
            utterances_named(two, what) == utterances_named(alone, what)
            and len({line.partition(": ")[0] for line in utterances_named(two, what)}) == count
        )
    step = next(r.data for r in read_records(two["out"]) if r.kind == "step")
    other = next(r.data for r in read_records(alone["out"]) if r.kind == "step")
    assert step["audio_s"] == pytest.approx(other["audio_s"])


def test_two_processes_stopped_and_resumed_end_with_the_same_bits(
    start: Start, tmp_path: Path
) -> None:
    whole = start(2, tmp_path / "whole", epochs=2)
    first = start(2, tmp_path / "parts", epochs=2, stop_at=3)
    assert [rank["ended"] for rank in first["ranks"]] == ["interrupted"] * 2
    lines = checkpoint.load(first["out"] / "last.pt")["training"]["lines"]
    names = [set(of_rank["names"]) for of_rank in lines]
    assert len(names) == 2 and all(names) and not names[0] & names[1]
    more = start(2, tmp_path / "parts", epochs=2, auto_resume=True)
    assert [rank["ended"] for rank in more["ranks"]] == ["finished"] * 2
    assert_same_bits(whole, more)


@pytest.mark.slow
def test_three_processes_are_one(alone: dict[str, Any], start: Start) -> None:
    assert_same_run(alone, start(3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"consistency": True},
        {"accumulate": 3, "epochs": 10},
        {"order": "shuffle", "batch_size": 2, "epochs": 3},
    ],
)
def test_whatever_the_step_is_made_of(settings: dict[str, Any], start: Start) -> None:
    one, many = start(1, **settings), start(3, **settings)
    assert [x for _, x in losses(many)] == pytest.approx(
        [x for _, x in losses(one)], rel=1e-5
    ) and len(losses(one)) >= 18


@pytest.mark.slow
@pytest.mark.parametrize("where", ["forward", "backward"])
def test_memory_that_runs_out_on_one_process_halves_its_batch_and_hangs_nobody(
    where: str, alone: dict[str, Any], start: Start
) -> None:
    many = start(2, most=1, fragile=1, where=where)
    steps = [r.data for r in read_records(many["out"]) if r.kind == "step"]
    assert (
        len(steps) == 20 and sum(s["halved"] for s in steps) == 15
    )  # three of four batches have two rows for rank 1
    assert sum(r.data.get("reason") == "out-of-memory" for r in read_records(many["out"])) == 1
    # Other statistics of BatchNorm than those of the whole batch, but not another run: the first
    # loss is near, and the weights agree.
    assert losses(many)[0][1] == pytest.approx(losses(alone)[0][1], rel=0.3)
    a, b = (rank["weights"] for rank in many["ranks"])
    assert all(
        torch.allclose(torch.tensor(a[name]), torch.tensor(b[name]), rtol=1e-9) for name in a
    )


@pytest.mark.slow
def test_what_is_not_finite_on_one_process_is_skipped_by_all_and_named(start: Start) -> None:
    one, two = start(1, poison="tone11"), start(2, poison="tone11")  # an utterance of rank 1
    assert utterances_named(one, "loss-not-finite") == ["tone11"]
    assert utterances_named(two, "loss-not-finite") == ["tone11"]
    assert len(losses(one)) == 19
    expected = [loss for _, loss in losses(one)]
    assert [loss for _, loss in losses(two)] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_two_hosts_are_one(
    alone: dict[str, Any], manifests: dict[str, str], tmp_path: Path
) -> None:
    """Two torchruns that meet, as on two hosts."""
    file = write_settings(manifests, tmp_path / "run", {})
    meeting = [
        "--nnodes",
        "2",
        "--nproc-per-node",
        "1",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        f"localhost:{free_port()}",
    ]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *meeting,
        "--rdzv-id",
        "test",
        str(PROGRAM),
        file,
    ]
    hosts = [
        subprocess.Popen(command, env=os.environ | ENVIRONMENT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        pages = [host.communicate(timeout=300) for host in hosts]
    finally:
        for host in hosts:
            host.kill()
    assert [host.returncode for host in hosts] == [0, 0], pages
    assert_same_run(alone, result(tmp_path / "run", 2))


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_the_run_ends_with_the_same_bits(
    start: Start, manifests: dict[str, str], tmp_path: Path
) -> None:
    whole = start(2, tmp_path / "whole", epochs=3)
    file = write_settings(
        manifests,
        tmp_path / "again",
        {"epochs": 3, "save_every_s": 0.0, "die_at": 7, "auto_resume": True},
    )
    done = torchrun("--max-restarts", "2", str(PROGRAM), file)
    assert done.returncode == 0, done.stderr
    again = result(tmp_path / "again", 2)
    assert_same_bits(whole, again)
    assert any(r.data.get("reason") == "resumed" for r in read_records(again["out"]))


@pytest.mark.slow
def test_the_recipe_by_torchrun_stopped_by_a_signal_and_started_again(
    manifests: dict[str, str], tmp_path: Path
) -> None:
    """As docs/slurm.sbatch does it: SIGTERM before the time limit, the same command afterwards."""
    net = tmp_path / "net.toml"
    net.write_text(NET, encoding="utf-8")
    flags = [
        "--train",
        manifests["train"],
        "--dev",
        manifests["dev"],
        "--valid",
        manifests["dev"],
        "--net",
        str(net),
        "--batch-size",
        "4",
        "--device",
        "cpu",
        "--log-every",
        "1",
        "--epochs",
        "40",
        "--workers",
        "0",
        "--auto-resume",
    ]
    recipe = [str(ROOT / "recipes" / "recognise.py"), *flags]
    whole = torchrun(*recipe, "--out", str(tmp_path / "whole"))
    assert whole.returncode == 0 and whole.stdout.count("checkpoint:") == 1, whole.stderr
    with subprocess.Popen(
        [*TORCHRUN, *recipe, "--out", str(tmp_path / "parts")],
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as first:
        while first.poll() is None and not records_with(tmp_path / "parts", "step"):
            time.sleep(0.1)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=120)
    assert records_with(tmp_path / "parts", "interrupted") == 1 and first.returncode != 0
    assert torchrun(*recipe, "--out", str(tmp_path / "parts")).returncode == 0
    assert records_with(tmp_path / "parts", "finished") == 1
    assert_same_bits({"out": tmp_path / "whole"}, {"out": tmp_path / "parts"})
    assert (
        json.loads((tmp_path / "parts" / "valid" / "scores.json").read_text(encoding="utf-8"))[
            "utterances"
        ]
        == 7
    )


def records_with(out: Path, what: str) -> int:
    if not (out / "records.jsonl").exists():
        return 0
    return sum(what in (r.kind, r.data.get("reason")) for r in read_records(out))


def torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *command],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
