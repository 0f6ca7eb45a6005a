"""What a judge writes for the sounds of scenes: each different sound is heard once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ctcasr.compare.enhanced import OK
from ctcasr.compare.judge import Judge, JudgeError, TextsError
from ctcasr.compare.loops import is_loop
from ctcasr.compare.memory import Heard, Memory, sound_key
from ctcasr.compare.scene import Scene
from ctcasr.scoring.errors import ErrorRates

FAILED = "failed"  # status of a hearing for which the judge raised
SECONDS_BETWEEN = 120.0  # of sound, after which what was heard is kept and told

Told = Callable[[int], None]  # how many sounds more are done


@dataclass(frozen=True)
class Hearing:
    """What one judge wrote for one scene under one condition.

    `errors` is None where there was nothing to hear.
    """

    scene: Scene
    judge: str
    condition: str
    status: str  # OK, MISSING, UNREADABLE, FAILED
    reason: str = ""
    reference: str = ""  # as the judge writes it
    hypothesis: str = ""
    errors: ErrorRates | None = None

    @property
    def is_loop(self) -> bool:
        """Whether the hypothesis repeats itself without end."""
        return is_loop(self.hypothesis, self.reference)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What there is to hear of one condition, [N]; None with the reason where there is nothing."""

    samples: Tensor | None
    status: str = OK
    reason: str = ""

    def louder(self, gain: float) -> Stimulus:
        """The same, multiplied."""
        if self.samples is None:
            return self
        return replace(self, samples=self.samples * gain)


@dataclass(frozen=True, eq=False)
class SceneStimuli:
    """Everything that is to be heard of one scene, by condition."""

    scene: Scene
    rate_hz: int
    stimuli: Mapping[str, Stimulus]

    def without(self, conditions: Collection[str]) -> SceneStimuli:
        """The same, but for some conditions."""
        kept = {}
        for condition, stimulus in self.stimuli.items():
            if condition not in conditions:
                kept[condition] = stimulus
        return replace(self, stimuli=kept)


def hear(
    judge: Judge,
    to_hear: Sequence[SceneStimuli],
    memory: Memory,
    told: Told = lambda sounds: None,
) -> Iterator[Hearing]:
    """Each different sound is heard once: equal samples have equal hypotheses in any batch.

    Raises:
        JudgeError: where the judge is not one.
    """
    for rate_hz in sorted({scene_stimuli.rate_hz for scene_stimuli in to_hear}):
        of_this_rate = [stimuli for stimuli in to_hear if stimuli.rate_hz == rate_hz]
        texts = memory.texts(judge, rate_hz)
        _hear_new_sounds(judge, rate_hz, of_this_rate, texts, memory, told)
        for scene_stimuli in of_this_rate:
            yield from _hearings(judge, scene_stimuli, texts)


def _hear_new_sounds(
    judge: Judge,
    rate_hz: int,
    to_hear: Sequence[SceneStimuli],
    texts: dict[bytes, Heard],
    memory: Memory,
    told: Told,
) -> None:
    """Add to `texts` what is not in it yet, condition by condition."""
    sounds_of: dict[str, dict[bytes, Tensor]] = {}
    place_of: dict[bytes, str] = {}
    for scene_stimuli in to_hear:
        for condition, stimulus in scene_stimuli.stimuli.items():
            sounds = sounds_of.setdefault(condition, {})
            if stimulus.samples is not None:
                key = sound_key(stimulus.samples)
                sounds[key] = stimulus.samples
                place_of[key] = f"{scene_stimuli.scene.id}, {condition}"
    for sounds in sounds_of.values():
        new_sounds = {key: samples for key, samples in sounds.items() if key not in texts}
        told(len(to_hear) - len(new_sounds))
        for keys in _pieces(new_sounds, round(SECONDS_BETWEEN * rate_hz)):
            places = [place_of[key] for key in keys]
            heard = _listen(judge, [new_sounds[key] for key in keys], rate_hz, places)
            new_texts = dict(zip(keys, heard, strict=True))
            memory.add(judge, rate_hz, new_texts)
            texts.update(new_texts)
            told(len(keys))


def _pieces(sounds: Mapping[bytes, Tensor], samples_at_once: int) -> Iterator[list[bytes]]:
    """The keys of sounds [N], about so many samples at a time."""
    piece: list[bytes] = []
    samples = 0
    for key, sound in sounds.items():
        piece.append(key)
        samples += sound.shape[0]
        if samples >= samples_at_once:
            yield piece
            piece = []
            samples = 0
    if piece:
        yield piece


def _hearings(
    judge: Judge, scene_stimuli: SceneStimuli, texts: Mapping[bytes, Heard]
) -> Iterator[Hearing]:
    scene = scene_stimuli.scene
    reference = judge.reference(scene.text).text
    for condition, stimulus in scene_stimuli.stimuli.items():
        hearing = Hearing(scene, judge.name, condition, stimulus.status, stimulus.reason, reference)
        if stimulus.samples is None:
            yield hearing
            continue
        text = texts[sound_key(stimulus.samples)]
        if isinstance(text, Exception):
            yield replace(hearing, status=FAILED, reason=f"{judge.name}: {_reason(text)}")
            continue
        hypothesis = judge.reference(text).text
        errors = _errors(reference, hypothesis)
        yield replace(hearing, hypothesis=hypothesis, errors=errors)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _errors(reference: str, hypothesis: str) -> ErrorRates:
    """Without the single confusions: thousands of rows are added up again and again."""
    errors = ErrorRates.of(reference, hypothesis)
    words = replace(errors.words, confusions=Counter())
    chars = replace(errors.chars, confusions=Counter())
    return replace(errors, words=words, chars=chars)


def _listen(
    judge: Judge, sounds: Sequence[Tensor], rate_hz: int, places: Sequence[str]
) -> list[Heard]:
    """What the judge writes; where it raises, sound by sound, so that few are lost.

    `places` say which scene and condition a sound is of.
    """
    try:
        return list(judge.listen(sounds, rate_hz))
    except TextsError as error:
        index = error.sound
        where = f"{places[0]} to {places[-1]}" if index is None else places[index]
        raise JudgeError(f"{error} ({where})") from error
    except JudgeError:
        raise
    except Exception as error:
        if len(sounds) == 1:
            return [error]
        texts: list[Heard] = []
        for sound, place in zip(sounds, places, strict=True):
            texts.extend(_listen(judge, [sound], rate_hz, [place]))
        return texts
