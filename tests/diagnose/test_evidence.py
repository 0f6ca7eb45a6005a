"""Evidence changes nothing it looks at, and a stop changes nothing of what it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.evidence import Evidence, weighted_means
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.samples import greedy_texts
from ctcasr.recognise.spec import read_spec
from ctcasr.seq import Seq
from ctcasr.text import Alphabet

Numbers = dict[str, Any]


@pytest.fixture
def batch(tokenizer: Alphabet) -> Callable[..., Batch]:
    """batch(number): four utterances of half a second."""

    def make(number: int, rows: int = 4) -> Batch:
        draw = torch.Generator().manual_seed(number)
        texts = ["ab", "cd e", "fa", "b"][:rows]
        ids = [tokenizer.encode(text) for text in texts]
        samples = [0.1 * torch.randn(8000 + 100 * row, generator=draw) for row in range(rows)]
        return Batch(
            tuple(Utterance(Path(f"{number}-{row}.wav"), text=t) for row, t in enumerate(texts)),
            Seq.stack(samples, 16000),
            torch.tensor([label for row in ids for label in row]),
            tuple(map(len, ids)),
        )

    return make


@pytest.fixture
def evidence(model: SpeechModel, tokenizer: Alphabet) -> Callable[[], Evidence]:
    model.eval()

    def make() -> Evidence:
        return Evidence(
            model,
            tokenizer,
            model.parameters,
            lambda: 0.0,
            lambda logits, penalty: greedy_texts(logits, tokenizer, penalty),
        )

    return make


def train_and_check(evidence: Evidence, batches: list[Batch], dev: Batch) -> Numbers:
    model = evidence.network
    with torch.no_grad():
        for trained in batches:
            evidence.train_batch(trained, model(trained.audio).lengths)
        logits = model(dev.audio)
    evidence.dev_batch(dev, logits, evidence.read(logits, 0.0))
    return evidence.collect()


def same(left: Numbers, right: Numbers) -> bool:
    """Equal to the bit; NaN equals NaN."""
    return repr(left) == repr(right)


def test_looking_leaves_no_trace(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch], model: SpeechModel
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    draws = torch.random.get_rng_state()
    train_and_check(evidence(), [batch(0)], batch(9))
    assert torch.equal(draws, torch.random.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_an_untrained_network_hears_nothing_and_stands_still(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch]
) -> None:
    numbers = train_and_check(evidence(), [batch(0), batch(1)], batch(9))
    assert set(numbers) == {"classes", "blank", "corpus", "parameters", "dev", "train"}
    assert numbers["parameters"]["still"] == 1.0 and numbers["parameters"]["frozen"] == 0.0
    assert numbers["dev"]["rows"] == 4 and numbers["train"]["batch"] == 4
    assert numbers["train"]["wrong_lengths"] == 0.0 and numbers["train"]["silent"] == 0.0
    assert math.isfinite(numbers["dev"]["deaf"])


def test_a_symbol_that_dev_texts_do_not_hold_and_training_texts_do(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch], tokenizer: Alphabet
) -> None:
    looking = evidence()
    dev = batch(9)
    held = set(batch(0).targets.tolist())
    silent_rows = [row for row in range(4) if not held.issubset(dev.rows([row]).targets.tolist())]
    for unsaid in sorted(held):
        logits = looking.network(dev.audio)
        peaked = torch.zeros_like(logits.data)
        peaked[..., unsaid] = 9.0
        others = [r for r in silent_rows if unsaid not in dev.rows([r]).targets.tolist()]
        few = dev.rows(others)
        looking.train_batch(batch(0), looking.network(batch(0).audio).lengths)
        peaked_logits = logits.with_data(peaked).rows(others)
        looking.dev_batch(few, peaked_logits, looking.read(peaked_logits, 0.0))
        numbers = looking.collect()
        assert numbers["dev"]["unsaid_class"] == unsaid and "unmeasured" not in numbers
        assert "nll_few_unsaid_blank" not in numbers["train"]


def test_before_training_there_is_only_what_was_seen(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch]
) -> None:
    numbers = evidence().collect()
    assert set(numbers) == {"classes", "blank", "corpus", "parameters"}
    assert numbers["corpus"] == {}


@pytest.mark.parametrize("stop_after", range(4))
def test_a_stop_anywhere_changes_nothing(
    evidence: Callable[[], Evidence],
    batch: Callable[..., Batch],
    tmp_path: Path,
    stop_after: int,
) -> None:
    batches = [batch(number) for number in range(4)]
    dev = batch(9)
    whole, stopped = evidence(), evidence()
    first = train_and_check(whole, batches[:2], dev)
    assert same(first, train_and_check(stopped, batches[:2], dev))
    for trained in batches[:stop_after]:
        stopped.train_batch(trained, stopped.network(trained.audio).lengths)
    path = checkpoint.save(tmp_path / "last.pt", {"evidence": stopped.state_dict()})
    again = evidence()
    again.load_state_dict(checkpoint.load(path)["evidence"])
    expected = train_and_check(whole, batches, dev)
    assert same(train_and_check(again, batches[stop_after:], dev), expected)


def test_a_stop_behind_the_last_batch_remembers_it(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch]
) -> None:
    whole, again = evidence(), evidence()
    whole.train_batch(batch(3), whole.network(batch(3).audio).lengths)
    again.load_state_dict(whole.state_dict())
    assert same(again.collect(), whole.collect())


def test_means_weigh_rows_and_leave_out_what_is_no_number() -> None:
    parts = [{"rows": 3, "a": 1.0, "b": math.nan}, {"rows": 1, "a": 5.0, "b": 2.0}]
    assert weighted_means(parts) == {"rows": 4, "a": 2.0, "b": 2.0}
    assert math.isnan(weighted_means(parts[:1])["b"])


def test_a_look_that_fails_is_told_and_does_not_end_training(
    evidence: Callable[[], Evidence], batch: Callable[..., Batch]
) -> None:
    broken = evidence()
    broken.read = lambda logits, penalty: 1 / 0  # type: ignore[assignment,return-value]
    model = broken.network
    with torch.no_grad():
        logits = model(batch(0).audio)
        broken.train_batch(batch(0), logits.lengths)
        broken.dev_batch(batch(9), logits, ["", "", "", ""])
        numbers = broken.collect()
    assert "ZeroDivisionError" in numbers["unmeasured"]["the dev part"]
    assert numbers["train"]["features_finite"] == 1.0  # the others looked on
    assert "unmeasured" not in evidence().collect()


def test_of_pictures_nothing_is_said_about_voices(tokenizer: Alphabet) -> None:
    torch.manual_seed(0)
    spec = read_spec("lips hidden=8 layers=1 lips.channels=[4,6] lips.features=8")
    lips = build(spec, tokenizer.size).eval()
    clips = [torch.randint(0, 256, (30, 28, 40), dtype=torch.uint8) for _ in range(4)]
    texts = [tokenizer.encode(text) for text in ("ab", "cd", "fa", "b")]
    seen = Batch(
        tuple(Utterance(Path(f"{row}.wav"), text="ab") for row in range(4)),
        Seq.stack(clips, 25),
        torch.tensor([label for row in texts for label in row]),
        tuple(map(len, texts)),
    )
    looking = Evidence(
        lips,
        tokenizer,
        lips.parameters,
        lambda: 0.0,
        lambda logits, penalty: greedy_texts(logits, tokenizer, penalty),
    )
    numbers = train_and_check(looking, [seen], seen)
    for part in ("train", "dev"):
        assert "pitch_hz" not in numbers[part] and "silent" not in numbers[part]
    assert not looking.unmeasured
    facts = numbers["corpus"]["train"]
    assert facts["silent"] == facts["constant"] == facts["not_finite"] == 0
    assert numbers["train"]["features_constant"] == 0.0
