"""The trial: every judge hears every scene under every condition; each hearing is a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from ctcasr.batch import Skip
from ctcasr.compare.alignment import observation_added
from ctcasr.compare.enhanced import CLEAN, MISSING, NOISY, OK, Enhanced, EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError, TextsError
from ctcasr.compare.loops import is_loop
from ctcasr.compare.memory import Heard, Memory, sound_key
from ctcasr.compare.metrics import Metrics
from ctcasr.compare.scene import Scene, Sound, read_sound
from ctcasr.data import AudioError
from ctcasr.scoring.errors import ErrorRates

FAILED = "failed"  # status of a hearing for which the judge raised
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the noisy sound, in observation adding
SECONDS_AT_ONCE = 600.0  # of scenes whose sound is in memory together
FULL_SCALE = 1.0  # beyond it some judges clip, and some wrap around
USUAL_SCENE_S = 10.0  # length of a scene whose line does not tell

# samples, clean, interferer [N] and their rate -> metrics
Measure = Callable[[Tensor, Tensor, Tensor | None, int], Metrics]


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


@dataclass(frozen=True)
class Quality:
    """What one condition of a scene sounds like, and how it had to be aligned."""

    scene: Scene
    condition: str
    status: str
    reason: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)  # metric -> value
    failed: Mapping[str, str] = field(default_factory=dict)  # metric -> reason
    lag: int = 0
    lag_s: float = 0.0
    gain: float = 1.0
    resemblance: float = 1.0  # correlation with noisy or clean, whichever is larger
    oddities: tuple[str, ...] = ()


@dataclass
class Trial:
    """All rows of a trial.

    `skipped` scenes could not be heard at all; in those of `quieter` all conditions were made
    quieter alike, because one of them would have been beyond full scale.
    """

    hearings: list[Hearing] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    quieter: list[str] = field(default_factory=list)  # names of scenes

    def __add__(self, other: Trial) -> Trial:
        return Trial(
            self.hearings + other.hearings,
            self.qualities + other.qualities,
            self.skipped + other.skipped,
            self.quieter + other.quieter,
        )

    def part(self, scenes: Sequence[Scene]) -> Trial:
        """The rows of some scenes."""
        ids = {scene.id for scene in scenes}
        return Trial(
            [hearing for hearing in self.hearings if hearing.scene.id in ids],
            [quality for quality in self.qualities if quality.scene.id in ids],
            self.skipped,
            [name for name in self.quieter if name in ids],
        )


@dataclass(frozen=True)
class Design:
    """Whose files are compared, by whom.

    `shares` of the noisy sound are added, by the enhancer's name.
    """

    enhancers: Sequence[EnhancedFolder]
    judges: Sequence[Judge]
    shares: Mapping[str, Sequence[float]] = field(default_factory=dict)
    metrics: bool = True


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


def hold_trial(
    scenes: Sequence[Scene],
    design: Design,
    progress: Callable[[int], None] = lambda done: None,
    memory: Memory | None = None,
) -> Trial:
    """Every judge hears clean, noisy, and each enhancer's files.

    These also with a share of the noisy sound added. JudgeError where a judge is not one.
    """
    memory = memory or Memory()
    trial = Trial()
    done = 0
    for chunk in _chunks(scenes):
        to_hear = []
        for scene in chunk:
            done += 1
            progress(done)
            try:
                sound = read_sound(scene)
            except AudioError as error:
                trial.skipped.append(Skip(scene.noisy.where or scene.id, str(error)))
                continue
            to_hear.append(_prepare(scene, sound, design, trial, memory))
        for judge in design.judges:
            trial.hearings.extend(_hear(judge, to_hear, memory))
    return trial


def added(name: str, share: float) -> str:
    """The condition that adds `share` of the noisy sound to that of an enhancer.

    Example:
        >>> added("rnnoise", 0.2)
        'rnnoise + 0.2 noisy'
    """
    return f"{name} + {share:g} noisy"


def _prepare(
    scene: Scene, sound: Sound, design: Design, trial: Trial, memory: Memory
) -> SceneStimuli:
    """What is to be heard of one scene; its qualities are noted in the trial."""
    stimuli = {NOISY: Stimulus(sound.noisy)}
    if sound.clean is None:
        stimuli[CLEAN] = Stimulus(None, MISSING, "the line has no target_filepath")
    else:
        stimuli[CLEAN] = Stimulus(sound.clean)
    measure = memory.measure if design.metrics else None
    trial.qualities.append(_measured(scene, sound, NOISY, sound.noisy, measure))
    for enhancer in design.enhancers:
        enhanced = enhancer.read(scene, sound)
        trial.qualities.append(_quality(scene, sound, enhancer.name, enhanced, measure))
        samples = enhanced.samples
        stimuli[enhancer.name] = Stimulus(samples, enhanced.status, enhanced.reason)
        for share in design.shares.get(enhancer.name, ()):
            mixed = samples
            if samples is not None:
                mixed = observation_added(samples, sound.noisy, share)
            condition = added(enhancer.name, share)
            stimuli[condition] = Stimulus(mixed, enhanced.status, enhanced.reason)
    peak = _peak(stimuli.values())
    if peak > FULL_SCALE:
        trial.quieter.append(scene.id)
        stimuli = {name: stimulus.louder(1 / peak) for name, stimulus in stimuli.items()}
    return SceneStimuli(scene, sound.rate_hz, stimuli)


def _peak(stimuli: Iterable[Stimulus]) -> float:
    """The largest sample of all conditions."""
    peak = 0.0
    for stimulus in stimuli:
        if stimulus.samples is not None and len(stimulus.samples):
            peak = max(peak, float(stimulus.samples.abs().max()))
    return peak


def _quality(
    scene: Scene, sound: Sound, condition: str, enhanced: Enhanced, measure: Measure | None
) -> Quality:
    if enhanced.aligned is None:
        return Quality(scene, condition, enhanced.status, enhanced.reason)
    measured = _measured(scene, sound, condition, enhanced.aligned.samples, measure)
    return replace(
        measured,
        lag=enhanced.aligned.lag,
        lag_s=enhanced.aligned.lag / sound.rate_hz,
        gain=enhanced.aligned.gain,
        resemblance=enhanced.aligned.resemblance,
        oddities=enhanced.oddities,
    )


def _measured(
    scene: Scene, sound: Sound, condition: str, samples: Tensor, measure: Measure | None
) -> Quality:
    metrics = Metrics()
    if measure is not None and sound.clean is None:
        metrics.failed["all"] = "no clean target to compare with"
    elif measure is not None and sound.clean is not None:
        metrics = measure(samples, sound.clean, sound.noise, sound.rate_hz)
    return Quality(scene, condition, OK, scores=metrics.scores, failed=metrics.failed)


def _hear(judge: Judge, to_hear: Sequence[SceneStimuli], memory: Memory) -> Iterator[Hearing]:
    """Each different sound is heard once: equal samples have equal hypotheses in any batch."""
    for rate_hz in sorted({scene_stimuli.rate_hz for scene_stimuli in to_hear}):
        of_this_rate = [stimuli for stimuli in to_hear if stimuli.rate_hz == rate_hz]
        texts = memory.texts(judge, rate_hz)
        _hear_new_sounds(judge, rate_hz, of_this_rate, texts, memory)
        for scene_stimuli in of_this_rate:
            yield from _hearings(judge, scene_stimuli, texts)


def _hear_new_sounds(
    judge: Judge,
    rate_hz: int,
    to_hear: Sequence[SceneStimuli],
    texts: dict[bytes, Heard],
    memory: Memory,
) -> None:
    """Add to `texts` what is not in it yet, condition by condition."""
    sounds_of: dict[str, dict[bytes, Tensor]] = {}
    scene_of: dict[bytes, str] = {}
    for scene_stimuli in to_hear:
        for condition, stimulus in scene_stimuli.stimuli.items():
            sounds = sounds_of.setdefault(condition, {})
            if stimulus.samples is not None:
                key = sound_key(stimulus.samples)
                sounds[key] = stimulus.samples
                scene_of[key] = f"{scene_stimuli.scene.id}, {condition}"
    for sounds in sounds_of.values():
        new_sounds = {key: samples for key, samples in sounds.items() if key not in texts}
        if new_sounds:
            places = [scene_of[key] for key in new_sounds]
            heard = _listen(judge, list(new_sounds.values()), rate_hz, places)
            new_texts = dict(zip(new_sounds, heard, strict=True))
            memory.add(judge, rate_hz, new_texts)
            texts.update(new_texts)


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
            yield replace(hearing, status=FAILED, reason=f"{judge.name}: {_told(text)}")
            continue
        hypothesis = judge.reference(text).text
        errors = _errors(reference, hypothesis)
        yield replace(hearing, hypothesis=hypothesis, errors=errors)


def _told(error: Exception) -> str:
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


def _chunks(scenes: Sequence[Scene]) -> Iterator[list[Scene]]:
    """Scenes of about ten minutes at a time: sound is let go chunk by chunk."""
    chunk: list[Scene] = []
    seconds = 0.0
    for scene in scenes:
        chunk.append(scene)
        seconds += scene.noisy.duration or USUAL_SCENE_S
        if seconds >= SECONDS_AT_ONCE:
            yield chunk
            chunk = []
            seconds = 0.0
    if chunk:
        yield chunk
