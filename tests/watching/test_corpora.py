"""Real speech in loops that know nothing of this library: healthy, and with something planted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor, nn

from ctcasr.watching.session import Watch
from tests.watching.test_frameworks import needed

ALPHABET = "_ abcdefghijklmnopqrstuvwxyz"  # the blank is 0
ROWS = 8
UNITS = 128
HALF = 0.5  # of the time: these trainings last seconds


@dataclass(frozen=True)
class Speech:
    """Samples [N] and texts of a corpus."""

    rate_hz: int
    train: Sequence[tuple[Tensor, str]]
    dev: Sequence[tuple[Tensor, str]]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What is wrong in a loop; as it stands, nothing is."""

    lr: float = 2e-3
    logits: bool = False
    head_forgotten: bool = False
    hop_s: float = 0.02


def recordings(manifest: Path, count: int, stride: int = 1) -> list[tuple[Tensor, str]]:
    """Samples and texts of some lines of a manifest."""
    lines = manifest.read_text(encoding="utf-8").splitlines()[::stride][:count]
    rows = []
    for line in lines:
        entry = json.loads(line)
        samples, _ = soundfile.read(manifest.parent / entry["audio_filepath"], dtype="float32")
        rows.append((torch.from_numpy(samples), entry["text"]))
    return rows


def strings(digits: list[tuple[Tensor, str]], count: int, seed: int) -> list[tuple[Tensor, str]]:
    """Two or three spoken digits as one recording."""
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(count):
        length = int(torch.randint(2, 4, (), generator=draw))
        chosen = torch.randint(len(digits), (length,), generator=draw).tolist()
        sounds = [digits[place][0] for place in chosen]
        rows.append((torch.cat(sounds), " ".join(digits[place][1] for place in chosen)))
    return rows


def fsdd(data_root: Path) -> Speech:
    train = recordings(data_root / "fsdd" / "train.jsonl", 200, stride=9)
    dev = recordings(data_root / "fsdd" / "test.jsonl", 50, stride=4)
    return Speech(8000, strings(train, 160, 0), strings(dev, 32, 1))


def grid(data_root: Path) -> Speech:
    train = recordings(data_root / "grid_s1" / "train.jsonl", 120, stride=5)
    dev = recordings(data_root / "grid_s1" / "valid.jsonl", 24, stride=2)
    return Speech(16000, train, dev)


def labels_of(text: str) -> Tensor:
    return torch.tensor([ALPHABET.index(letter) for letter in text.lower()])


def spectrum(samples: Tensor, rate_hz: int, hop_s: float) -> Tensor:
    """Logarithms of power [T, F], in 40 bands as wide as each other, less their mean."""
    window = torch.hann_window(rate_hz // 31)
    hop = int(rate_hz * hop_s)
    power = torch.stft(samples, len(window), hop, window=window, return_complex=True).abs().square()
    bands = nn.functional.adaptive_avg_pool1d(power.T[None], 40)[0]
    features = (bands + 1e-6).log()
    return (features - features.mean(0)) / features.std().clamp_min(1e-3)


def plain_loop(speech: Speech, planted: Planted, steps: int, session: Watch) -> None:
    """`for batch in loader`, with log spectra and a BiLSTM."""
    torch.manual_seed(0)
    rnn = nn.LSTM(40, UNITS, bidirectional=True, batch_first=True)
    head = nn.Linear(2 * UNITS, len(ALPHABET))
    trained = list(rnn.parameters())
    if not planted.head_forgotten:
        trained.extend(head.parameters())
    optimiser = torch.optim.Adam(trained, lr=planted.lr)

    def loss_of(rows: Sequence[tuple[Tensor, str]]) -> Tensor:
        features = [spectrum(samples, speech.rate_hz, planted.hop_s) for samples, _ in rows]
        labels = [labels_of(text) for _, text in rows]
        scores = head(rnn(nn.utils.rnn.pad_sequence(features, batch_first=True))[0])
        if not planted.logits:
            scores = scores.log_softmax(2)
        frames = torch.tensor([len(row) for row in features])
        lengths = torch.tensor([len(row) for row in labels])
        return nn.functional.ctc_loss(
            scores.transpose(0, 1), torch.cat(labels), frames, lengths, zero_infinity=True
        )

    order = torch.Generator().manual_seed(2)
    with session:
        for step in range(1, steps + 1):
            chosen = torch.randint(len(speech.train), (ROWS,), generator=order).tolist()
            optimiser.zero_grad()
            loss_of([speech.train[place] for place in chosen]).backward()
            nn.utils.clip_grad_norm_(trained, 5.0)
            optimiser.step()
            if step % 20 == 0:
                with torch.no_grad():
                    loss_of(speech.dev)


def transformers_loop(speech: Speech, planted: Planted, steps: int, session: Watch) -> None:
    """The Trainer of transformers with a tiny Wav2Vec2ForCTC that knows nothing."""
    needed("transformers")
    from transformers import Trainer, TrainingArguments, Wav2Vec2Config, Wav2Vec2ForCTC

    last_stride = round(planted.hop_s * speech.rate_hz / (10 * 8))
    config = Wav2Vec2Config(
        vocab_size=len(ALPHABET),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        conv_dim=(32, 32, 64),
        conv_kernel=(20, 16, 4),
        conv_stride=(10, 8, last_stride),
        num_feat_extract_layers=3,
        feat_extract_norm="layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
        layerdrop=0.0,
        pad_token_id=0,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=True,
    )
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(config)
    optimisers: tuple[Any, Any] = (None, None)
    if planted.head_forgotten:
        optimisers = (torch.optim.AdamW(model.wav2vec2.parameters(), lr=planted.lr), None)

    def rows_of(part: Sequence[tuple[Tensor, str]]) -> list[dict[str, Tensor]]:
        rows = []
        for samples, text in part:
            sound = samples / samples.std().clamp_min(1e-4)
            rows.append({"input_values": sound, "labels": labels_of(text)})
        return rows

    def collate(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        pad = nn.utils.rnn.pad_sequence
        sounds = [row["input_values"] for row in rows]
        masks = [torch.ones(len(sound), dtype=torch.long) for sound in sounds]
        labels = [row["labels"] for row in rows]
        return {
            "input_values": pad(sounds, batch_first=True),
            "attention_mask": pad(masks, batch_first=True),
            "labels": pad(labels, batch_first=True, padding_value=-100),
        }

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=ROWS,
            per_device_eval_batch_size=len(speech.dev),
            learning_rate=planted.lr,
            max_grad_norm=5.0,
            eval_strategy="steps",
            eval_steps=20,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=rows_of(speech.train),
            eval_dataset=rows_of(speech.dev),
            data_collator=collate,
            optimizers=optimisers,
        )
        with session:
            trainer.train()


LOOPS = {"plain": plain_loop, "transformers": transformers_loop}
CORPORA: dict[str, Callable[[Path], Speech]] = {"FSDD strings": fsdd, "GRID": grid}
PLANTS: dict[str, tuple[str, Planted]] = {
    "nothing": ("", Planted()),
    "a rate far too low": ("learning-rate-too-low", Planted(lr=1e-7)),
    "the head is not in the optimiser": ("frozen-parameters", Planted(head_forgotten=True)),
    "frames too long for the texts": ("zero-infinity-hides-rows", Planted(hop_s=0.16)),
}


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTS)
@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("loop", LOOPS)
def test_speech_of_a_real_corpus_is_judged_rightly(
    loop: str, corpus: str, planted: str, data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slug, fault = PLANTS[planted]
    session = Watch(say=None, share=HALF)
    steps = 60 if slug else 150
    LOOPS[loop](CORPORA[corpus](data_root), fault, steps, session)
    assert session.verdict is not None and not session._care.broken
    named = [cause.slug for cause in session.verdict.causes]
    with capsys.disabled():
        print(f"\n{loop:13} {corpus:13} {planted:33} {session.verdict.state:14} {named}")
    assert named[:1] == [slug][: len(slug)]
