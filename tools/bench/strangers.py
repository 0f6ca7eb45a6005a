"""Five training loops that know nothing of ctcasr: what `ctcasr.watch` is tested and measured on.

A loop of one's own, a toy of reading (OCR), Lightning's Trainer, SpeechBrain's Brain and the
Trainer of transformers. Each trains a small network on made-up digit strings for a second or two;
each takes the same faults. The line that a user adds is `with session:`.

python tools/bench/strangers.py ocr --steps 600 --out runs/ocr     # one of them, watched
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ctcasr.watching.session import Watch

DIGITS = 6
SYMBOLS = DIGITS + 1  # the blank is 0
FEATURES = 8
CELL = 8  # frames (features) or columns (pictures) of a digit
RATE_HZ = 1000
TONE = 120  # samples of a digit as a tone

FONT = (
    "111101101101111",
    "010110010010111",
    "111001111100111",
    "111001111001111",
    "101101111001001",
    "111100111001111",
)
"""Digits of 5 x 3 pixels, row by row."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong in a loop; as it stands, nothing is."""

    # what goes in
    not_finite: bool = False  # a NaN in every other row
    silent: bool = False  # nothing but zeros goes in
    empty_targets: bool = False
    shuffled: bool = False  # texts of training belong to other rows
    # what the loss is told
    few_frames: bool = False  # fewer than the targets need
    zero_infinity: bool = True
    full_lengths: bool = False  # all rows are told to be as long as their batch
    padding: int | None = None  # label that fills up targets, and is counted
    labels_from: int = 1  # the label of the first digit; the blank is 0
    probabilities: bool = False  # softmax where log_softmax belongs
    logits: bool = False  # neither
    over_time: bool = False  # log_softmax over the wrong axis
    scale: float = 1.0  # of the scores
    blank_bonus: float = 0.0  # nats, in evaluation
    # what is trained, and how
    lr: float = 1e-2
    max_norm: float = 10.0  # gradients are clipped to it
    head_forgotten: bool = False  # the last layer is not handed to the optimiser
    frozen: bool = False  # all but the last layer asks for no gradient
    dead: bool = False  # ReLUs that are zero always
    batch_norm: bool = False
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """How long a loop trains, and who watches it."""

    fault: Fault = Fault()
    steps: int = 60
    evaluate: bool = True
    seed: int = 0
    rows: int = 8  # of a training batch
    distinct: int = 0  # training batches, seen again and again; 0: others at every step
    units: int = 24  # width of the network
    accumulate: int = 1  # batches of an optimiser step, in the frameworks
    bfloat16: bool = False  # mixed precision, in the frameworks
    session: AbstractContextManager[Any] | None = None

    @property
    def watched(self) -> AbstractContextManager[Any]:
        """The session, or nothing."""
        return self.session or nullcontext()


@dataclass  # not frozen: Lightning puts each field on its device
class Digits:
    """Strings of digits as features [B, T, F] or samples [B, N], targets [B, U] and lengths."""

    inputs: Tensor
    input_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor


def digit_strings(count: int, draw: torch.Generator) -> list[list[int]]:
    """Two or three digits each."""
    strings = []
    for _ in range(count):
        length = int(torch.randint(2, 4, (), generator=draw))
        strings.append(torch.randint(DIGITS, (length,), generator=draw).tolist())
    return strings


def labelled(inputs: list[Tensor], strings: list[list[int]], fault: Fault) -> Digits:
    """Padded inputs and the labels of the strings."""
    pad = nn.utils.rnn.pad_sequence
    labels = [torch.tensor(digits) + fault.labels_from for digits in strings]
    lengths = [len(digits) for digits in strings]
    targets = pad(labels, batch_first=True, padding_value=fault.padding or 0)
    if fault.padding is not None:
        targets = nn.functional.pad(targets, (0, 2), value=fault.padding)
        lengths = [targets.shape[1]] * len(lengths)
    if fault.empty_targets:
        lengths = [0] * len(lengths)
    padded = pad(inputs, batch_first=True)
    if fault.silent:
        padded = torch.zeros_like(padded)
    if fault.not_finite:
        padded[::2, 3] = torch.nan
    input_lengths = torch.tensor([len(row) for row in inputs])
    return Digits(padded, input_lengths, targets, torch.tensor(lengths))


def with_shuffled_texts(digits: Digits) -> Digits:
    """Every row has the text of the next one."""
    return Digits(
        digits.inputs,
        digits.input_lengths,
        digits.targets.roll(1, 0),
        digits.target_lengths.roll(1, 0),
    )


def spectra(count: int, draw: torch.Generator, fault: Fault) -> Digits:
    """Digits as patterns of features [B, T, 8] in noise."""
    patterns = torch.rand(DIGITS, CELL - 2, FEATURES, generator=torch.Generator().manual_seed(5))
    strings = digit_strings(count, draw)
    inputs = []
    for digits in strings:
        frames = 0.2 * torch.randn(CELL * len(digits), FEATURES, generator=draw)
        for place, digit in enumerate(digits):
            start = CELL * place + 1
            frames[start : start + CELL - 2] += (patterns[digit] > 0.5).float()
        inputs.append(frames)
    return labelled(inputs, strings, fault)


def pictures(count: int, draw: torch.Generator, fault: Fault) -> Digits:
    """Digits drawn as pictures [B, W, 8]: columns are the time of a reader."""
    strings = digit_strings(count, draw)
    inputs = []
    for digits in strings:
        columns = 0.3 * torch.rand(CELL * len(digits), FEATURES, generator=draw)
        for place, digit in enumerate(digits):
            pixels = torch.tensor([int(pixel) for pixel in FONT[digit]]).reshape(5, 3)
            left = CELL * place + int(torch.randint(0, 3, (), generator=draw))
            top = int(torch.randint(0, 4, (), generator=draw))
            columns[left : left + 3, top : top + 5] += pixels.T
        inputs.append(columns)
    return labelled(inputs, strings, fault)


def tones(count: int, draw: torch.Generator, fault: Fault) -> Digits:
    """Digits as tones [B, N] at 1 kHz, with a pause between them."""
    strings = digit_strings(count, draw)
    seconds = torch.arange(TONE) / RATE_HZ
    inputs = []
    for digits in strings:
        samples = []
        for digit in digits:
            samples.append(torch.sin(2 * torch.pi * (60 + 60 * digit) * seconds))
            samples.append(torch.zeros(TONE // 3))
        sound = torch.cat(samples)
        inputs.append(sound + 0.05 * torch.randn(len(sound), generator=draw))
    return labelled(inputs, strings, fault)


class Spoilt(nn.Module):
    """What a fault makes of the last layer's output, before any softmax."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, logits: Tensor) -> Tensor:
        """Logits [B, T, C]."""
        logits = logits * self.fault.scale
        if self.fault.blank_bonus and not self.training:
            bonus = torch.zeros(logits.shape[2])
            bonus[0] = self.fault.blank_bonus
            logits = logits + bonus
        return logits


def as_scores(logits: Tensor, fault: Fault) -> Tensor:
    """What the loss is handed of logits [B, T, C]."""
    if fault.logits:
        return logits
    if fault.probabilities:
        return logits.softmax(2)
    return logits.log_softmax(1 if fault.over_time else 2)


class Reader(nn.Module):
    """Optional conv over columns, BiLSTM, and log-probabilities [B, T, 7]."""

    def __init__(self, fault: Fault, conv: bool = False, units: int = 24) -> None:
        super().__init__()
        self.fault = fault
        with_conv = conv or fault.dead or fault.batch_norm
        self.conv = nn.Conv1d(FEATURES, FEATURES, 3, padding=1) if with_conv else None
        self.norm = nn.BatchNorm1d(FEATURES) if fault.batch_norm else nn.Identity()
        self.rnn = nn.LSTM(FEATURES, units, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(fault.dropout)
        self.head = nn.Linear(2 * units, SYMBOLS)
        self.spoilt = Spoilt(fault)
        if fault.dead and self.conv is not None:
            nn.init.constant_(self.conv.bias, -50.0)  # type: ignore[arg-type]
        if fault.frozen:
            self.rnn.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of inputs [B, T, F]."""
        if self.conv is not None:
            inputs = self.norm(self.conv(inputs.transpose(1, 2))).relu().transpose(1, 2)
        states, _ = self.rnn(inputs)
        logits = self.spoilt(self.head(self.dropout(states)))
        return as_scores(logits, self.fault)

    def trained(self) -> list[nn.Parameter]:
        """What the optimiser is given."""
        forgotten = set()
        if self.fault.head_forgotten:
            forgotten = {id(parameter) for parameter in self.head.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in forgotten]


def frames_for_loss(digits: Digits, fault: Fault) -> Tensor:
    """Frames that the loss is told of."""
    if fault.few_frames:
        return digits.input_lengths // CELL - 1
    if fault.full_lengths:
        return torch.full_like(digits.input_lengths, digits.inputs.shape[1])
    return digits.input_lengths


def loss_of(scores: Tensor, digits: Digits, fault: Fault) -> Tensor:
    """torch's loss of scores [B, T, C]."""
    return nn.functional.ctc_loss(
        scores.transpose(0, 1),
        digits.targets,
        frames_for_loss(digits, fault),
        digits.target_lengths,
        zero_infinity=fault.zero_infinity,
    )


Draw = Callable[[int, torch.Generator, Fault], Digits]


def own_loop(run: Run, data: Draw = spectra, conv: bool = False) -> nn.Module:
    """`for batch in loader`."""
    torch.manual_seed(run.seed)
    draw = torch.Generator().manual_seed(run.seed + 1)
    model = Reader(run.fault, conv, run.units)
    optimiser = torch.optim.Adam(model.trained(), lr=run.fault.lr)
    prepared = batches(data, run, run.distinct, run.rows, run.seed + 1, is_training=True)
    with run.watched:
        for step in range(1, run.steps + 1):
            if prepared:
                batch = prepared[step % len(prepared)]
            else:
                batch = training_batch(data, run, draw)
            loss = loss_of(model(batch.inputs), batch, run.fault)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), run.fault.max_norm)
            optimiser.step()
            if run.evaluate and step % 20 == 0:
                model.eval()
                with torch.no_grad():
                    held_out = data(32, draw, run.fault)
                    loss_of(model(held_out.inputs), held_out, run.fault)
                model.train()
    return model


def ocr_loop(run: Run) -> nn.Module:
    """A loop of one's own that learns to read pictures."""
    return own_loop(run, pictures, conv=True)


def training_batch(data: Draw, run: Run, draw: torch.Generator) -> Digits:
    """A batch to train on, with or without its own texts."""
    batch = data(run.rows, draw, run.fault)
    return with_shuffled_texts(batch) if run.fault.shuffled else batch


def batches(
    data: Draw, run: Run, count: int, rows: int, seed: int, is_training: bool = False
) -> list[Digits]:
    """The same batches for every framework."""
    draw = torch.Generator().manual_seed(seed)
    if not is_training:
        return [data(rows, draw, run.fault) for _ in range(count)]
    distinct = run.distinct or count
    prepared = [training_batch(data, run, draw) for _ in range(distinct)]
    return [prepared[number % distinct] for number in range(count)]


def as_loader(prepared: list[Digits]) -> DataLoader[Digits]:
    """A loader of batches that are complete."""
    return DataLoader(prepared, batch_size=None)  # type: ignore[arg-type]


def lightning_parts(run: Run) -> dict[str, Any]:
    """Lightning's `trainer`, `module`, and its loaders `train` and `valid`."""
    import lightning

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.reader = Reader(run.fault, units=run.units)

        def training_step(self, batch: Digits, index: int) -> Tensor:
            return loss_of(self.reader(batch.inputs), batch, run.fault)

        def validation_step(self, batch: Digits, index: int) -> None:
            loss_of(self.reader(batch.inputs), batch, run.fault)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.reader.trained(), lr=run.fault.lr)

    torch.manual_seed(run.seed)
    module = Module()
    count = run.steps * run.accumulate
    train = as_loader(batches(spectra, run, count, run.rows, run.seed + 1, is_training=True))
    held_out = as_loader(batches(spectra, run, 1, 32, run.seed + 2))
    trainer = lightning.Trainer(
        max_steps=run.steps,
        gradient_clip_val=run.fault.max_norm,
        accumulate_grad_batches=run.accumulate,
        precision="bf16-mixed" if run.bfloat16 else "32-true",
        val_check_interval=20,
        limit_val_batches=1 if run.evaluate else 0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return {"trainer": trainer, "module": module, "train": train, "valid": held_out}


def lightning_loop(run: Run) -> nn.Module:
    """Lightning's Trainer."""
    parts = lightning_parts(run)
    with run.watched:
        parts["trainer"].fit(parts["module"], parts["train"], parts["valid"])
    reader: nn.Module = parts["module"].reader
    return reader


def speechbrain_parts(run: Run) -> dict[str, Any]:
    """SpeechBrain's `brain` with a small CRDNN, its `epochs`, `train` and `valid`."""
    from speechbrain.core import Brain, Stage
    from speechbrain.lobes.models.CRDNN import CRDNN
    from speechbrain.nnet.losses import ctc_loss

    class Ours(Brain):  # type: ignore[misc]
        def compute_forward(self, batch: Digits, stage: Stage) -> Tensor:
            logits = self.modules.head(self.modules.net(batch.inputs))
            return as_scores(self.modules.spoilt(logits), run.fault)

        def compute_objectives(self, scores: Tensor, batch: Digits, stage: Stage) -> Tensor:
            frames = frames_for_loss(batch, run.fault) / scores.shape[1]
            labels = batch.target_lengths / batch.targets.shape[1]
            loss: Tensor = ctc_loss(scores, batch.targets, frames, labels, blank_index=0)
            return loss

        def init_optimizers(self) -> None:
            trained = list(self.modules.net.parameters())
            if not run.fault.head_forgotten:
                trained.extend(self.modules.head.parameters())
            self.optimizer = self.opt_class(trained)
            self.optimizers_dict = {"opt_class": self.optimizer}

    torch.manual_seed(run.seed)
    net = CRDNN(
        input_shape=[None, None, FEATURES],
        cnn_blocks=1,
        cnn_channels=(8,),
        rnn_layers=1,
        rnn_neurons=run.units,
        rnn_bidirectional=True,
        dnn_blocks=1,
        dnn_neurons=2 * run.units,
        dropout=run.fault.dropout,
    )
    if run.fault.frozen:
        net.requires_grad_(False)
    brain = Ours(
        modules={
            "net": net,
            "head": nn.Linear(2 * run.units, SYMBOLS),
            "spoilt": Spoilt(run.fault),
        },
        opt_class=lambda parameters: torch.optim.Adam(parameters, lr=run.fault.lr),
        run_opts={
            "device": "cpu",
            "max_grad_norm": run.fault.max_norm,
            "grad_accumulation_factor": run.accumulate,
            "precision": "bf16" if run.bfloat16 else "fp32",
        },
    )
    epochs = max(1, run.steps * run.accumulate // 20)
    train = as_loader(batches(spectra, run, 20, run.rows, run.seed + 1, is_training=True))
    held_out = None
    if run.evaluate:
        held_out = as_loader(batches(spectra, run, 1, 32, run.seed + 2))
    return {"brain": brain, "epochs": range(epochs), "train": train, "valid": held_out}


def speechbrain_loop(run: Run) -> nn.Module:
    """SpeechBrain's Brain."""
    parts = speechbrain_parts(run)
    with run.watched:
        parts["brain"].fit(parts["epochs"], parts["train"], parts["valid"], progressbar=False)
    module: nn.Module = parts["brain"].modules
    return module


def transformers_parts(run: Run, folder: str) -> dict[str, Any]:
    """The `trainer` of transformers with a tiny Wav2Vec2ForCTC that knows nothing: `model`."""
    from transformers import Trainer, TrainingArguments, Wav2Vec2Config, Wav2Vec2ForCTC

    fault = run.fault
    strides = (40, 4) if fault.few_frames else (5, 4)
    config = Wav2Vec2Config(
        vocab_size=SYMBOLS,
        hidden_size=run.units // 24 * 32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=run.units // 24 * 64,
        conv_dim=(32, 32),
        conv_kernel=(20, 8),
        conv_stride=strides,
        num_feat_extract_layers=2,
        feat_extract_norm="layer",
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
        layerdrop=0.0,
        final_dropout=fault.dropout,
        hidden_dropout=fault.dropout,
        attention_dropout=0.0,
        feat_proj_dropout=fault.dropout,
        pad_token_id=0,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=fault.zero_infinity,
    )
    torch.manual_seed(run.seed)
    model = Wav2Vec2ForCTC(config)
    optimisers: tuple[torch.optim.Optimizer | None, None] = (None, None)
    if run.fault.head_forgotten:
        body = torch.optim.AdamW(model.wav2vec2.parameters(), lr=run.fault.lr)
        optimisers = (body, None)
    if fault.frozen:
        model.wav2vec2.requires_grad_(False)
    last: list[nn.Module] = [model.lm_head, Spoilt(fault)]
    if fault.probabilities:
        last.append(nn.Softmax(dim=-1))
    if len(last) > 2 or fault.scale != 1.0 or fault.blank_bonus:
        model.lm_head = nn.Sequential(*last)
    train = examples(run, (run.distinct or 20) * run.rows, run.seed + 1, fault.shuffled)
    held_out = examples(run, 32, run.seed + 2)
    arguments = TrainingArguments(
        output_dir=folder,
        max_steps=run.steps,
        per_device_train_batch_size=run.rows,
        per_device_eval_batch_size=32,
        learning_rate=run.fault.lr,
        lr_scheduler_type="constant",
        max_grad_norm=run.fault.max_norm,
        gradient_accumulation_steps=run.accumulate,
        bf16=run.bfloat16,
        eval_strategy="steps" if run.evaluate else "no",
        eval_steps=20,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=True,
        seed=run.seed,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=held_out,
        data_collator=lambda rows: collate(rows, fault),
        optimizers=optimisers,
    )
    return {"trainer": trainer, "model": model}


def transformers_loop(run: Run) -> nn.Module:
    """The Trainer of transformers."""
    with tempfile.TemporaryDirectory() as folder:
        parts = transformers_parts(run, folder)
        with run.watched:
            parts["trainer"].train()
    model: nn.Module = parts["model"]
    return model


def examples(run: Run, count: int, seed: int, shuffled: bool = False) -> list[dict[str, Tensor]]:
    """Tones and labels, one dict an utterance, as transformers wants them."""
    plain = replace(run.fault, padding=None)  # its collator pads
    digits = tones(count, torch.Generator().manual_seed(seed), plain)
    if shuffled:
        digits = with_shuffled_texts(digits)
    rows = []
    for row in range(count):
        rows.append(
            {
                "input_values": digits.inputs[row, : digits.input_lengths[row]],
                "labels": digits.targets[row, : digits.target_lengths[row]],
            }
        )
    return rows


def collate(rows: list[dict[str, Tensor]], fault: Fault) -> dict[str, Tensor]:
    """A batch, padded; -100 where there is no label."""
    pad = nn.utils.rnn.pad_sequence
    sounds = [row["input_values"] for row in rows]
    labels = [row["labels"] for row in rows]
    masks = [torch.ones(len(sound), dtype=torch.long) for sound in sounds]
    no_label = -100 if fault.padding is None else fault.padding
    batch = {
        "input_values": pad(sounds, batch_first=True),
        "attention_mask": pad(masks, batch_first=True),
        "labels": pad(labels, batch_first=True, padding_value=no_label),
    }
    if fault.full_lengths:
        del batch["attention_mask"]
    return batch


LOOPS: dict[str, Callable[[Run], nn.Module]] = {
    "plain": own_loop,
    "ocr": ocr_loop,
    "lightning": lightning_loop,
    "speechbrain": speechbrain_loop,
    "transformers": transformers_loop,
}
"""By name; those with a framework's name need it installed."""


def main() -> None:
    """Train one of them, watched closely; its page is written into `--out`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("loop", choices=sorted(LOOPS))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", help="folder of the records and the page")
    parser.add_argument("--share", type=float, default=0.2, help="of the time, to look")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    session = Watch(out=arguments.out, decode=as_words, share=arguments.share)
    LOOPS[arguments.loop](Run(steps=arguments.steps, session=session))


def as_words(labels: Any) -> str:
    """Digits as words of one letter."""
    return " ".join(str(label - 1) for label in labels)


if __name__ == "__main__":
    main()
