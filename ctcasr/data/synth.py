"""A synthetic corpus to learn on: sentences of a closed grammar and digit strings, said by eSpeak NG in many voices.

Written form: one written digit is one word, separated by spaces, and is spoken as one digit word, so "call 4 0 7" is
said "call four zero seven" (0 is always "zero"), and nothing else could be meant. The words use every letter a to z.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ctcasr.data import espeak
from ctcasr.data.audio import resample

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VERBS = (
    "bring",
    "carry",
    "find",
    "hide",
    "keep",
    "lift",
    "move",
    "open",
    "push",
    "show",
    "take",
    "wash",
)
ADJECTIVES = (
    "big",
    "black",
    "clean",
    "frozen",
    "green",
    "heavy",
    "lazy",
    "old",
    "quick",
    "red",
    "small",
    "yellow",
)
NOUNS = (
    "apple",
    "box",
    "chair",
    "dog",
    "engine",
    "fox",
    "guitar",
    "jacket",
    "key",
    "lamp",
    "mirror",
    "queen",
    "violin",
    "watch",
)
PLACES = (
    "behind the house",
    "in the garden",
    "near the bridge",
    "on the table",
    "to the kitchen",
    "under the zebra",
)
TIMES = ("again", "before lunch", "every day", "just now", "tonight", "tomorrow")
DIGIT_LEADS = ("call", "code", "dial", "number", "room", "track")


@dataclass(frozen=True)
class Spoken:
    """One synthetic utterance: what is written, who says it, samples [N] float32 mono at `rate_hz`."""

    text: str
    voice: str
    samples: Tensor
    rate_hz: int


@dataclass(frozen=True)
class SynthSettings:
    """What a synthetic corpus is made of; the same settings make the same files."""

    train: int = 1600  # utterances
    test: int = 200  # utterances, said by voices and with texts that training never meets
    seed: int = 0
    rate_hz: int = 16000
    noise_share: float = (
        0.5  # share of utterances with faint white noise, 20 to 40 dB below the speech
    )
    train_voices: tuple[str, ...] = ()  # () means split_voices(seed)
    test_voices: tuple[str, ...] = ()


def sentence(draw: random.Random) -> str:
    """One random text: two of three follow the grammar, the third is a digit string of three to six digits."""
    if draw.random() < 1 / 3:
        lead = [draw.choice(DIGIT_LEADS)] if draw.random() < 0.7 else []
        return " ".join(lead + [str(draw.randrange(10)) for _ in range(draw.randint(3, 6))])
    words = [draw.choice(VERBS), "the", draw.choice(ADJECTIVES), draw.choice(NOUNS)]
    if draw.random() < 0.7:
        words.append(draw.choice(PLACES))
    if draw.random() < 0.4:
        words.append(draw.choice(TIMES))
    return " ".join(words)


def sentences(n: int, seed: int = 0, without: Iterable[str] = ()) -> list[str]:
    """`n` different random texts, none of them in `without`."""
    draw, known = random.Random(f"sentences {seed}"), set(without)
    found: list[str] = []
    while len(found) < n:
        text = sentence(draw)
        if text not in known:
            known.add(text)
            found.append(text)
    return found


def spoken_form(text: str) -> str:
    """What eSpeak NG is asked to say: every digit as its own word."""
    return " ".join(
        "".join(f" {DIGITS[int(c)]} " if c in "0123456789" else c for c in text).split()
    )


def split_voices(seed: int = 0, share: float = 0.2) -> tuple[list[str], list[str]]:
    """Training and test voices: a share of the male and of the female variants is kept out, in all accents."""
    draw, held_out = random.Random(f"voices {seed}"), set[str]()
    for group in (espeak.MALE, espeak.FEMALE):
        held_out |= set(draw.sample(group, max(1, round(share * len(group)))))
    every = espeak.voices()
    return (
        [v for v in every if v.split("+")[1] not in held_out],
        [v for v in every if v.split("+")[1] in held_out],
    )


def say(
    index: int,
    seed: int = 0,
    *,
    text: str | None = None,
    voices: Sequence[str] = (),
    rate_hz: int = 16000,
    noise_share: float = 0.5,
    aloud: str | None = None,
    rates_wpm: tuple[int, int] = (110, 165),
) -> Spoken:
    """Utterance `index` of an endless corpus: text, voice, rate, pitch, level, noise follow from (index, seed).

    `aloud` is what eSpeak NG is asked to say, where that is not the text's spoken form.
    """
    draw = random.Random(f"utterance {seed} {index}")
    drawn = sentence(draw)
    text = drawn if text is None else text
    voice = draw.choice(list(voices) or espeak.voices())
    samples, spoken_hz = espeak.speak(
        spoken_form(text) if aloud is None else aloud,
        voice,
        rate_wpm=draw.randint(*rates_wpm),
        pitch=draw.randint(35, 65),
        pitch_range=draw.randint(30, 70),
        seed=draw.getrandbits(31),
    )
    samples = resample(samples, spoken_hz, rate_hz)
    before, after = (int(draw.uniform(0.05, 0.25) * rate_hz) for _ in range(2))
    samples = torch.nn.functional.pad(samples, (before, after))
    peak = 10 ** (draw.uniform(-20.0, -1.0) / 20)  # -20 to -1 dB of full scale
    samples = samples * (peak / max(float(samples.abs().max()), 1e-4))
    if draw.random() < noise_share:
        generator = torch.Generator().manual_seed(draw.getrandbits(31))
        level = float(samples.square().mean().sqrt()) * 10 ** (-draw.uniform(20.0, 40.0) / 20)
        samples = samples + level * torch.randn(samples.shape, generator=generator)
    return Spoken(text, voice, samples.clamp(-1.0, 1.0), rate_hz)


def synthesise_corpus(
    folder: str | Path, settings: SynthSettings | None = None
) -> tuple[Path, Path]:
    """Manifests train.jsonl and test.jsonl of a corpus in `folder` (16-bit mono WAV files), made unless it is there.

    ValueError: the folder holds something else, or a corpus of other settings, or a voice is in both parts.
    """
    folder, settings = Path(folder), settings or SynthSettings()
    manifests = folder / "train.jsonl", folder / "test.jsonl"
    wanted = json.loads(json.dumps(asdict(settings)))
    if folder.exists() and any(folder.iterdir()):
        try:
            there = json.loads((folder / "settings.json").read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(
                f"{folder}: expected a synthetic corpus or nothing; choose another folder"
            ) from None
        if there != wanted:
            differ = sorted(key for key in wanted if there.get(key) != wanted[key])
            raise ValueError(
                f"{folder}: holds a corpus with another {', '.join(differ)}; delete it or choose another"
            )
        return manifests
    train_voices, test_voices = split_voices(settings.seed)
    parts = {
        "train": settings.train_voices or tuple(train_voices),
        "test": settings.test_voices or tuple(test_voices),
    }
    if both := sorted(set(parts["train"]) & set(parts["test"])):
        raise ValueError(
            f"{folder}: expected test voices that are not in training; in both: {', '.join(both)}"
        )
    texts = sentences(settings.train + settings.test, settings.seed)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # the resampling of a short clip is slower with more, by far on a busy machine
    try:
        first = 0
        for part, count in (("train", settings.train), ("test", settings.test)):
            _write_part(
                unfinished, part, first, texts[first : first + count], parts[part], settings
            )
            first += count
        record = {
            "settings": wanted,
            "espeak_ng": espeak.version(),
            "licence_of_espeak_ng": "GPL-3.0",
        }
        (unfinished / "settings.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifests


def _write_part(
    folder: Path,
    part: str,
    first: int,
    texts: Sequence[str],
    voices: Sequence[str],
    settings: SynthSettings,
) -> None:
    (folder / part).mkdir(parents=True)
    rate_hz = settings.rate_hz
    with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as manifest:
        for index, text in enumerate(texts, first):
            spoken = say(
                index,
                settings.seed,
                text=text,
                voices=voices,
                rate_hz=rate_hz,
                noise_share=settings.noise_share,
            )
            path = f"{part}/{index:06d}.wav"
            soundfile.write(folder / path, spoken.samples.numpy(), rate_hz, subtype="PCM_16")
            duration = round(len(spoken.samples) / rate_hz, 6)
            line = {
                "audio_filepath": path,
                "duration": duration,
                "text": text,
                "speaker": spoken.voice,
            }
            manifest.write(json.dumps(line) + "\n")
