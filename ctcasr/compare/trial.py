"""The trial: every judge hears every scene under every condition; each hearing is a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from ctcasr.batch import Skip
from ctcasr.compare.alignment import observation_added
from ctcasr.compare.enhanced import CLEAN, MISSING, NOISY, OK, Enhanced, EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.memory import Heard, Memory, sound_key
from ctcasr.compare.metrics import Metrics, measure
from ctcasr.compare.scene import Scene, Sound, read_sound
from ctcasr.data import AudioError
from ctcasr.scoring.errors import ErrorRates

FAILED = "failed"  # status of a hearing for which the judge raised
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the noisy sound, in observation adding
SECONDS_AT_ONCE = 600.0  # of scenes whose sound is in memory together
USUAL_SCENE_S = 10.0  # length of a scene whose line does not tell


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
    hypothesis: str = ""
    errors: ErrorRates | None = None


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

    def part(self, scenes: Sequence[Scene]) -> Trial:
        """The rows of some scenes."""
        ids = {scene.id for scene in scenes}
        return Trial(
            [hearing for hearing in self.hearings if hearing.scene.id in ids],
            [quality for quality in self.qualities if quality.scene.id in ids],
            self.skipped,
        )


@dataclass(frozen=True)
class Design:
    """Whose files are compared, by whom, with which shares of the noisy sound added."""

    enhancers: Sequence[EnhancedFolder]
    judges: Sequence[Judge]
    shares: Sequence[float] = ()
    metrics: bool = True


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What there is to hear of one condition, [N]; None with the reason where there is nothing."""

    samples: Tensor | None
    status: str = OK
    reason: str = ""


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
            to_hear.append(_prepare(scene, sound, design, trial))
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


def _prepare(scene: Scene, sound: Sound, design: Design, trial: Trial) -> SceneStimuli:
    """What is to be heard of one scene; its qualities are noted in the trial."""
    stimuli = {NOISY: Stimulus(sound.noisy)}
    if sound.clean is None:
        stimuli[CLEAN] = Stimulus(None, MISSING, "the line has no target_filepath")
    else:
        stimuli[CLEAN] = Stimulus(sound.clean)
    trial.qualities.append(_measured(scene, sound, NOISY, sound.noisy, design))
    for enhancer in design.enhancers:
        enhanced = enhancer.read(scene, sound)
        trial.qualities.append(_quality(scene, sound, enhancer.name, enhanced, design))
        samples = enhanced.samples
        stimuli[enhancer.name] = Stimulus(samples, enhanced.status, enhanced.reason)
        for share in design.shares:
            mixed = samples
            if samples is not None:
                mixed = observation_added(samples, sound.noisy, share)
            condition = added(enhancer.name, share)
            stimuli[condition] = Stimulus(mixed, enhanced.status, enhanced.reason)
    return SceneStimuli(scene, sound.rate_hz, stimuli)


def _quality(
    scene: Scene, sound: Sound, condition: str, enhanced: Enhanced, design: Design
) -> Quality:
    if enhanced.aligned is None:
        return Quality(scene, condition, enhanced.status, enhanced.reason)
    measured = _measured(scene, sound, condition, enhanced.aligned.samples, design)
    return replace(
        measured,
        lag=enhanced.aligned.lag,
        gain=enhanced.aligned.gain,
        oddities=enhanced.oddities,
    )


def _measured(
    scene: Scene, sound: Sound, condition: str, samples: Tensor, design: Design
) -> Quality:
    metrics = Metrics()
    if design.metrics and sound.clean is None:
        metrics.failed["all"] = "no clean target to compare with"
    elif design.metrics and sound.clean is not None:
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
    for scene_stimuli in to_hear:
        for condition, stimulus in scene_stimuli.stimuli.items():
            sounds = sounds_of.setdefault(condition, {})
            if stimulus.samples is not None:
                sounds[sound_key(stimulus.samples)] = stimulus.samples
    for sounds in sounds_of.values():
        new_sounds = {key: samples for key, samples in sounds.items() if key not in texts}
        if new_sounds:
            heard = _listen(judge, list(new_sounds.values()), rate_hz)
            new_texts = dict(zip(new_sounds, heard, strict=True))
            memory.add(judge, rate_hz, new_texts)
            texts.update(new_texts)


def _hearings(
    judge: Judge, scene_stimuli: SceneStimuli, texts: Mapping[bytes, Heard]
) -> Iterator[Hearing]:
    scene = scene_stimuli.scene
    reference = judge.reference(scene.text).text
    for condition, stimulus in scene_stimuli.stimuli.items():
        if stimulus.samples is None:
            yield Hearing(scene, judge.name, condition, stimulus.status, stimulus.reason)
            continue
        text = texts[sound_key(stimulus.samples)]
        if isinstance(text, Exception):
            reason = f"{type(text).__name__}: {text}"
            yield Hearing(scene, judge.name, condition, FAILED, reason)
            continue
        hypothesis = judge.reference(text).text
        yield Hearing(
            scene,
            judge.name,
            condition,
            stimulus.status,
            stimulus.reason,
            hypothesis,
            _errors(reference, hypothesis),
        )


def _errors(reference: str, hypothesis: str) -> ErrorRates:
    """Without the single confusions: thousands of rows are added up again and again."""
    errors = ErrorRates.of(reference, hypothesis)
    words = replace(errors.words, confusions=Counter())
    chars = replace(errors.chars, confusions=Counter())
    return replace(errors, words=words, chars=chars)


def _listen(judge: Judge, sounds: Sequence[Tensor], rate_hz: int) -> list[Heard]:
    """What the judge writes; where it raises, sound by sound, so that few are lost."""
    try:
        return list(judge.listen(sounds, rate_hz))
    except JudgeError:
        raise
    except Exception as error:
        if len(sounds) == 1:
            return [error]
        texts: list[Heard] = []
        for sound in sounds:
            texts.extend(_listen(judge, [sound], rate_hz))
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
