"""Healthy runs on recordings: never an alarm, and the release is foretold about right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.data import Corpus, Loader, read_manifest, split_dev, synth
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.text import Alphabet, spell_digits
from ctcasr.train import TrainConfig, fit

RUNS = [  # corpus, preset, seed, utterances, epochs
    ("grid_s1", "default", 0, 320, 10),
    ("grid_s1", "default", 1, 320, 10),
    ("grid_s1", "report_v_bigru_conv", 0, 320, 12),
    ("speech_commands", "default", 0, 480, 10),
    ("speech_commands", "report_v_bilstm_conv", 1, 480, 12),
    ("fsdd", "default", 0, 480, 10),
    ("fsdd", "report_v_bigru", 1, 480, 12),
    ("synthetic", "default", 0, 320, 12),
    ("synthetic", "default", 1, 320, 12),
    ("synthetic", "report_v_bigru", 0, 320, 12),
]


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "preset", "seed", "count", "epochs"), RUNS)
def test_a_healthy_run_on_recordings_alarms_nobody(
    corpus: str,
    preset: str,
    seed: int,
    count: int,
    epochs: int,
    request: Any,
    tmp_path: Path,
    note: Callable[[str, int, str], None],
) -> None:
    if corpus == "synthetic":
        pytest.importorskip("espeakng_loader")
        manifest, _ = synth.synthesise_corpus(
            tmp_path / "corpus", synth.SynthSettings(train=count, test=1, seed=seed)
        )
    else:
        manifest = request.getfixturevalue("data_root") / corpus / "train.jsonl"
    every = read_manifest(manifest).utterances
    some = tuple(
        u.with_text(spell_digits(u.text or ""))
        for u in every[:: max(1, len(every) // count)][:count]
    )
    train, dev = split_dev(some, 0.15, seed)
    torch.manual_seed(seed)
    tokenizer, spec = Alphabet.english38(), read_spec(preset)
    model = build(spec, tokenizer.size)
    rate = spec.front.rate_hz
    task = Recognise(model, tokenizer, spec_to(spec), SpecAugment(), augment_from=100)
    records = [
        record.as_json()
        for record in fit(
            task,
            Loader(Corpus(train, tokenizer, rate), batch_size=16, order="sortagrad", seed=seed),
            Loader(Corpus(dev, tokenizer, rate), batch_size=32, order="sorted"),
            out=tmp_path / "run",
            config=TrainConfig(epochs=epochs, seed=seed),
        )
    ]
    checks = [record for record in records if record["kind"] == "check"]
    states = " > ".join(dict.fromkeys(check["verdict"]["state"] for check in checks))
    release = (
        checks[-1]["verdict"]["release_step"] if not checks[-1]["verdict"]["estimated"] else None
    )
    early = [check["verdict"] for check in checks if release and check["step"] <= release / 2]
    guess = early[-1]["release_step"] if early else None
    note(
        f"healthy: {corpus}, {preset}, seed {seed}",
        checks[-1]["step"],
        f"{states}; CER {checks[-1]['cer']:.0%}; release {release}, foretold {guess}",
    )
    assert all(not check["verdict"]["causes"] for check in checks), [
        check["verdict"] for check in checks
    ]
    if guess and release:
        assert release / 2 <= guess <= 2 * release
