"""The trial: every judge hears every scene under every condition, and each hearing is a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ctcasr.batch import Skip
from ctcasr.compare.alignment import observation_added
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.memory import Memory, sound_key
from ctcasr.compare.metrics import measure
from ctcasr.compare.scene import Scene, Sound, read_sound
from ctcasr.data import AudioError
from ctcasr.scoring.errors import ErrorRates

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the noisy sound, in observation adding
_CHUNK_S = 600.0


@dataclass(frozen=True)
class Hearing:
    """What one judge wrote for one scene under one condition; no tally where there was nothing to hear."""

    scene: Scene
    judge: str
    condition: str
    status: str  # "ok", "missing", "unreadable", "failed" (the judge raised)
    reason: str = ""
    hypothesis: str = ""
    tally: ErrorRates | None = None


@dataclass(frozen=True)
class Quality:
    """What one condition of a scene sounds like: metrics, why others failed, and how it had to be aligned."""

    scene: Scene
    condition: str
    status: str
    reason: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    lag: int = 0
    gain: float = 1.0
    oddities: tuple[str, ...] = ()


@dataclass
class Trial:
    """All rows of a trial; `skipped` scenes could not be heard at all."""

    hearings: list[Hearing] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)

    def __add__(self, other: Trial) -> Trial:
        return Trial(
            self.hearings + other.hearings,
            self.qualities + other.qualities,
            self.skipped + other.skipped,
        )


def hold(
    scenes: Sequence[Scene],
    enhancers: Sequence[EnhancedFolder],
    judges: Sequence[Judge],
    shares: Sequence[float] = (),
    metrics: bool = True,
    progress: Callable[[int], None] = lambda done: None,
    memory: Memory | None = None,
) -> Trial:
    """Every judge hears clean, noisy, and each enhancer's files, these also with a share of the noisy sound added."""
    memory = memory or Memory()
    trial, done = Trial(), 0
    for chunk in _chunks(scenes):
        heard: list[tuple[Scene, int, dict[str, tuple[Tensor | None, str, str]]]] = []
        for scene in chunk:
            done += 1
            progress(done)
            try:
                sound = read_sound(scene)
            except AudioError as error:
                trial.skipped.append(Skip(scene.noisy.where or scene.id, str(error)))
                continue
            heard.append(
                (scene, sound.rate_hz, _conditions(scene, sound, enhancers, shares, metrics, trial))
            )
        for judge in judges:
            trial.hearings += _listen(judge, heard, memory)
    return trial


def added(name: str, share: float) -> str:
    """The condition that adds `share` of the noisy sound to that of an enhancer."""
    return f"{name} + {share:g} noisy"


def _conditions(
    scene: Scene,
    sound: Sound,
    enhancers: Sequence[EnhancedFolder],
    shares: Sequence[float],
    metrics: bool,
    trial: Trial,
) -> dict[str, tuple[Tensor | None, str, str]]:
    """Samples, status and reason of each condition; qualities are noted on the way."""
    found: dict[str, tuple[Tensor | None, str, str]] = {"noisy": (sound.noisy, "ok", "")}
    found["clean"] = (
        (sound.clean, "ok", "")
        if sound.clean is not None
        else (None, "missing", "the line has no target_filepath")
    )
    interferer = (
        sound.interferer
        if sound.interferer is not None or sound.clean is None
        else sound.noisy - sound.clean
    )

    def quality(condition: str, samples: Tensor, **more: Any) -> None:
        if metrics and sound.clean is not None:
            scores, failed = measure(samples, sound.clean, interferer, sound.rate_hz)
        else:
            scores, failed = {}, {} if not metrics else {"all": "no clean target to compare with"}
        measured = Quality(scene, condition, "ok", scores=scores, failed=failed)
        trial.qualities.append(replace(measured, **more))

    quality("noisy", sound.noisy)
    for enhancer in enhancers:
        one = enhancer.read(scene, sound)
        found[enhancer.name] = (one.samples, one.status, one.reason)
        if one.aligned is None:
            trial.qualities.append(Quality(scene, enhancer.name, one.status, one.reason))
        else:
            quality(
                enhancer.name,
                one.aligned.samples,
                lag=one.aligned.lag,
                gain=one.aligned.gain,
                oddities=one.oddities,
            )
        for share in shares:
            samples = (
                None if one.samples is None else observation_added(one.samples, sound.noisy, share)
            )
            found[added(enhancer.name, share)] = (samples, one.status, one.reason)
    return found


def _listen(
    judge: Judge,
    heard: Sequence[tuple[Scene, int, dict[str, tuple[Tensor | None, str, str]]]],
    memory: Memory,
) -> Iterator[Hearing]:
    """Each different sound is heard once, so that equal samples have equal hypotheses whatever the batches are."""
    for rate_hz in sorted({rate for _, rate, _ in heard}):
        texts = memory.texts(judge, rate_hz)
        for condition in dict.fromkeys(
            name for _, rate, conditions in heard if rate == rate_hz for name in conditions
        ):
            sounds = {
                sound_key(samples): samples
                for _, rate, conditions in heard
                if rate == rate_hz
                for samples in (conditions[condition][0],)
                if samples is not None
            }
            new = {key: samples for key, samples in sounds.items() if key not in texts}
            if new:
                written = dict(zip(new, _texts(judge, list(new.values()), rate_hz), strict=True))
                memory.add(judge, rate_hz, written)
                texts |= written
        for scene, rate, conditions in heard:
            if rate != rate_hz:
                continue
            said = judge.normalise(scene.text)
            for condition, (samples, status, reason) in conditions.items():
                text = "" if samples is None else texts[sound_key(samples)]
                if samples is None:
                    yield Hearing(scene, judge.name, condition, status, reason)
                elif isinstance(text, Exception):
                    yield Hearing(
                        scene, judge.name, condition, "failed", f"{type(text).__name__}: {text}"
                    )
                else:
                    found = judge.normalise(text)
                    yield Hearing(
                        scene, judge.name, condition, status, reason, found, _tally(said, found)
                    )


def _tally(said: str, written: str) -> ErrorRates:
    """Without the single confusions: thousands of rows are added up again and again."""
    tally = ErrorRates.of(said, written)
    words, chars = (replace(part, confusions=Counter()) for part in (tally.words, tally.chars))
    return replace(tally, words=words, chars=chars)


def _texts(judge: Judge, sounds: list[Tensor], rate_hz: int) -> list[str | Exception]:
    """What the judge writes; where it raises, sound by sound, so that only what it cannot hear is lost."""
    try:
        return list(judge.listen(sounds, rate_hz))
    except JudgeError:
        raise
    except Exception as error:
        if len(sounds) == 1:
            return [error]
        return [text for sound in sounds for text in _texts(judge, [sound], rate_hz)]


def _chunks(scenes: Sequence[Scene]) -> Iterator[list[Scene]]:
    """Scenes of about ten minutes at a time: sound is let go chunk by chunk."""
    chunk: list[Scene] = []
    seconds = 0.0
    for scene in scenes:
        chunk.append(scene)
        seconds += scene.noisy.duration or 10.0
        if seconds >= _CHUNK_S:
            yield chunk
            chunk, seconds = [], 0.0
    if chunk:
        yield chunk
