"""A synthetic corpus to learn on: sentences of a closed grammar and digits, in many voices.

Written form: one written digit is one word, separated by spaces, and is spoken as one digit word,
so "call 4 0 7" is said "call four zero seven" (0 is always "zero"), and nothing else could be
meant. The words use every letter a to z; eSpeak NG says them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import soundfile
import torch
from torch import Tensor

from ctcasr.data import espeak, flite, pico, piper
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

_DIGITS_SHARE = 1 / 3  # of texts are digits
_DIGITS_A_TEXT = (3, 6)
_LEAD_SHARE = 0.7  # of those, with a word before them
_PLACE_SHARE = 0.7  # of sentences
_TIME_SHARE = 0.4

_SEED_BITS = 31
_PITCHES = (35, 65)  # eSpeak NG's, of 0 to 99
_PITCH_RANGES = (30, 70)
_SILENCES_S = (0.05, 0.25)  # before and behind an utterance
_PEAKS_DB = (-20.0, -1.0)  # of full scale
_NOISES_DB = (20.0, 40.0)  # below the speech
_LEAST_PEAK = 1e-4
_RECORD = "settings.json"
_TRIAL, _TRIAL_WPM = "one", 150  # what each voice is asked first: what lacks is told at once


@dataclass(frozen=True)
class Spoken:
    """One synthetic utterance: what is written, who says it, samples [N] float32 at `rate_hz`."""

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
    noise_share: float = 0.5  # of utterances, with faint white noise
    train_voices: tuple[str, ...] = ()  # () means split_voices(seed)
    test_voices: tuple[str, ...] = ()


def sentence(draw: random.Random) -> str:
    """One random text: two of three follow the grammar, the third has three to six digits."""
    if draw.random() < _DIGITS_SHARE:
        words = []
        if draw.random() < _LEAD_SHARE:
            words.append(draw.choice(DIGIT_LEADS))
        for _ in range(draw.randint(*_DIGITS_A_TEXT)):
            words.append(str(draw.randrange(10)))
        return " ".join(words)
    words = [draw.choice(VERBS), "the", draw.choice(ADJECTIVES), draw.choice(NOUNS)]
    if draw.random() < _PLACE_SHARE:
        words.append(draw.choice(PLACES))
    if draw.random() < _TIME_SHARE:
        words.append(draw.choice(TIMES))
    return " ".join(words)


def sentences(n: int, seed: int = 0, without: Iterable[str] = ()) -> list[str]:
    """`n` different random texts, none of them in `without`.

    Example:
        >>> sentences(2)
        ['open the red key', 'room 5 6 4 8 2 3']
    """
    draw = random.Random(f"sentences {seed}")
    known = set(without)
    texts: list[str] = []
    while len(texts) < n:
        text = sentence(draw)
        if text not in known:
            known.add(text)
            texts.append(text)
    return texts


def spoken_form(text: str) -> str:
    """What eSpeak NG is asked to say: every digit as its own word.

    Example:
        >>> spoken_form("call 407")
        'call four zero seven'
    """
    said = text
    for digit, word in enumerate(DIGITS):
        said = said.replace(str(digit), f" {word} ")
    return " ".join(said.split())


def split_voices(seed: int = 0, share: float = 0.2) -> tuple[list[str], list[str]]:
    """Training and test voices: a share of the male and of the female variants is held out.

    In all accents.
    """
    draw = random.Random(f"voices {seed}")
    held_out: set[str] = set()
    for variants in (espeak.MALE, espeak.FEMALE):
        held_out.update(draw.sample(variants, max(1, round(share * len(variants)))))
    train: list[str] = []
    test: list[str] = []
    for voice in espeak.voices():
        _, variant = voice.split("+")
        part = test if variant in held_out else train
        part.append(voice)
    return train, test


class Engine(Protocol):
    """Says a text: samples [N] float32 in [-1, 1], and their rate in Hz.

    The same arguments give the same samples.
    """

    def __call__(
        self,
        text: str,
        voice: str,
        rate_wpm: int,
        pitch: int,
        *,
        pitch_range: int,
        seed: int,
    ) -> tuple[Tensor, int]:
        """Rates are in words a minute, pitches within 0..99."""
        ...


ENGINES: dict[str, Engine] = {
    "espeak": espeak.speak,
    "flite": flite.speak,
    "pico": pico.speak,
    "piper": piper.speak,
}
"""Who says texts; another engine is one more entry here and in `VOICES`."""

VOICES: dict[str, Callable[[], list[str]]] = {
    "flite": flite.voices,
    "pico": pico.voices,
    "piper": piper.voices,
}
"""The voices of each engine but eSpeak NG, called "engine:voice"."""


def engine_of(voice: str) -> tuple[Engine, str]:
    """The engine of a voice, and its name there; without an engine's name it is eSpeak NG's.

    Raises:
        ValueError: for an engine that is not known.

    Example:
        >>> engine_of("en-us+f3")[1], engine_of("flite:slt")[1]
        ('en-us+f3', 'slt')
    """
    name, colon, own_name = voice.partition(":")
    if not colon:
        return ENGINES["espeak"], voice
    if name not in ENGINES:
        raise ValueError(f"voice {voice!r}: expected an engine of {', '.join(ENGINES)}")
    return ENGINES[name], own_name


def voices_of(engines: str, seed: int = 0) -> tuple[list[str], list[str]]:
    """Voices to learn from and voices to select by; `engines` with commas between.

    "piper:PATH" is one voice of an engine, "piper" are those that it has. Engines with few voices
    are drawn as often as eSpeak NG, whose voices alone select, as `split_voices` has them.

    Raises:
        ValueError: without eSpeak NG, or for an engine or a voice that is not known.
        ImportError: where an engine is not installed.

    Example:
        >>> len(voices_of("espeak")[0])
        152
    """
    entries = engines.split(",")
    if "espeak" not in entries:
        raise ValueError(f"engines: expected espeak among them, which selects; got {engines!r}")
    chosen: dict[str, set[str]] = {}
    for entry in entries:
        name, _, voice = entry.partition(":")
        if entry == "espeak":
            continue
        if name not in ENGINES or name not in VOICES:
            known = ", ".join(["espeak", *VOICES])
            raise ValueError(f"engines: expected some of {known}; got {entry!r}")
        chosen.setdefault(name, set()).update([voice] if voice else VOICES[name]())
    train, dev = split_voices(seed)
    learnt = list(train)
    for name, own_voices in chosen.items():
        for voice in sorted(own_voices):
            ENGINES[name](_TRIAL, voice, _TRIAL_WPM, pitch=50, pitch_range=50, seed=0)
            learnt += [f"{name}:{voice}"] * (len(train) // len(own_voices))
    return learnt, dev


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
    """Utterance `index` of an endless corpus.

    Text, voice, rate, pitch, level and noise follow from (index, seed). `aloud` is what the engine
    of the voice is asked to say, where that is not the text's spoken form.

    Raises:
        ImportError: without eSpeak NG (the extra `synth`).
    """
    draw = random.Random(f"utterance {seed} {index}")
    own_text = sentence(draw)
    if text is None:
        text = own_text
    if aloud is None:
        aloud = spoken_form(text)
    voice = draw.choice(list(voices) or espeak.voices())
    engine, engine_voice = engine_of(voice)
    samples, spoken_hz = engine(
        aloud,
        engine_voice,
        rate_wpm=draw.randint(*rates_wpm),
        pitch=draw.randint(*_PITCHES),
        pitch_range=draw.randint(*_PITCH_RANGES),
        seed=draw.getrandbits(_SEED_BITS),
    )
    samples = resample(samples, spoken_hz, rate_hz)
    before_s = draw.uniform(*_SILENCES_S)
    after_s = draw.uniform(*_SILENCES_S)
    silences = (int(before_s * rate_hz), int(after_s * rate_hz))
    samples = torch.nn.functional.pad(samples, silences)
    peak = 10 ** (draw.uniform(*_PEAKS_DB) / 20)
    samples = samples * (peak / max(float(samples.abs().max()), _LEAST_PEAK))
    if draw.random() < noise_share:
        samples = samples + _faint_noise(samples, draw)
    return Spoken(text, voice, samples.clamp(-1.0, 1.0), rate_hz)


def _faint_noise(samples: Tensor, draw: random.Random) -> Tensor:
    """White noise below speech."""
    generator = torch.Generator().manual_seed(draw.getrandbits(_SEED_BITS))
    below_db = draw.uniform(*_NOISES_DB)
    level = float(samples.square().mean().sqrt()) * 10 ** (-below_db / 20)
    return level * torch.randn(samples.shape, generator=generator)


def synthesise_corpus(
    folder: str | Path, settings: SynthSettings | None = None
) -> tuple[Path, Path]:
    """Manifests train.jsonl and test.jsonl of a corpus in `folder`, made unless it is there.

    Files are 16-bit mono WAV.

    Raises:
        ValueError: where the folder holds something else or a corpus of other settings, or a
            voice is in both parts.
    """
    folder = Path(folder)
    settings = settings or SynthSettings()
    manifests = (folder / "train.jsonl", folder / "test.jsonl")
    if folder.exists() and any(folder.iterdir()):
        _check_finished(folder, settings)
        return manifests
    train_voices, test_voices = _voices_of_parts(folder, settings)
    texts = sentences(settings.train + settings.test, settings.seed)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    threads = torch.get_num_threads()
    # Resampling a short clip is slower with more, by far on a busy machine.
    torch.set_num_threads(1)
    try:
        train_texts = texts[: settings.train]
        test_texts = texts[settings.train :]
        _write_part(unfinished, "train", 0, train_texts, train_voices, settings)
        _write_part(unfinished, "test", settings.train, test_texts, test_voices, settings)
        record = {
            "settings": asdict(settings),
            "espeak_ng": espeak.version(),
            "licence_of_espeak_ng": "GPL-3.0",
        }
        (unfinished / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifests


def _check_finished(folder: Path, settings: SynthSettings) -> None:
    """ValueError unless the folder holds a corpus of these settings."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        there = dict(record["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{folder}: expected a synthetic corpus or nothing; choose another folder"
        ) from None
    wanted = json.loads(json.dumps(asdict(settings)))  # tuples as JSON's lists
    if there != wanted:
        differ = sorted(key for key in wanted if there.get(key) != wanted[key])
        raise ValueError(
            f"{folder}: holds a corpus with another {', '.join(differ)}; delete it or choose "
            "another"
        )


def _voices_of_parts(folder: Path, settings: SynthSettings) -> tuple[Sequence[str], Sequence[str]]:
    """Voices of train and test; ValueError where one is in both."""
    drawn_train, drawn_test = split_voices(settings.seed)
    train = settings.train_voices or drawn_train
    test = settings.test_voices or drawn_test
    shared = sorted(set(train) & set(test))
    if shared:
        raise ValueError(
            f"{folder}: expected test voices that are not in training; in both: {', '.join(shared)}"
        )
    return train, test


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
