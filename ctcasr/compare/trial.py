"""The trial: every judge hears every scene under every condition; each hearing is a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from ctcasr.batch import Skip
from ctcasr.compare.alignment import observation_added
from ctcasr.compare.enhanced import CLEAN, MISSING, NOISY, OK, Enhanced, EnhancedFolder
from ctcasr.compare.hearing import Hearing, SceneStimuli, Stimulus, Told, hear
from ctcasr.compare.judge import Judge
from ctcasr.compare.memory import Memory
from ctcasr.compare.metrics import Metrics
from ctcasr.compare.scene import Scene, Sound, read_sound
from ctcasr.data import AudioError

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the noisy sound, in observation adding
SECONDS_AT_ONCE = 600.0  # of scenes whose sound is in memory together
FULL_SCALE = 1.0  # beyond it some judges clip, and some wrap around
USUAL_SCENE_S = 10.0  # length of a scene whose line does not tell

COMPARING = "what compares with clean speech"  # the metrics that a scene without it lacks

# samples, clean, interferer [N] and their rate -> metrics
Measure = Callable[[Tensor, Tensor | None, Tensor | None, int], Metrics]


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

    def heard(self, scenes: Sequence[Scene]) -> list[Scene]:
        """Those of the scenes of which any hearing is in a rate."""
        ids = {hearing.scene.id for hearing in self.hearings if hearing.errors is not None}
        return [scene for scene in scenes if scene.id in ids]


@dataclass(frozen=True)
class Design:
    """Whose files are compared, by whom.

    `shares` of the noisy sound are added, by the enhancer's name. Of these mixtures a judge hears
    those that `mixtures` has for it, and all of them where that is None.
    """

    enhancers: Sequence[EnhancedFolder]
    judges: Sequence[Judge]
    shares: Mapping[str, Sequence[float]] = field(default_factory=dict)
    metrics: bool = True
    mixtures: Mapping[str, Collection[str]] | None = None  # judge -> conditions

    def others(self, judge: Judge) -> set[str]:
        """The mixtures that a judge does not hear."""
        if self.mixtures is None:
            return set()
        all_mixtures: set[str] = set()
        for enhancer, shares in self.shares.items():
            all_mixtures.update(added(enhancer, share) for share in shares)
        return all_mixtures.difference(self.mixtures.get(judge.name, ()))

    def sounds(self, scenes: int) -> int:
        """How many sounds are prepared and heard of so many scenes."""
        mixtures = sum(len(shares) for shares in self.shares.values())
        conditions = 2 + len(self.enhancers) + mixtures
        total = conditions
        for judge in self.judges:
            total += conditions - len(self.others(judge))
        return scenes * total


def hold_trial(
    scenes: Sequence[Scene],
    design: Design,
    told: Told = lambda sounds: None,
    memory: Memory | None = None,
) -> Trial:
    """Every judge hears clean, noisy, and each enhancer's files.

    These also with a share of the noisy sound added. `told` hears how many more sounds of
    `design.sounds(...)` are prepared or heard. JudgeError where a judge is not one.
    """
    memory = memory or Memory()
    trial = Trial()
    for chunk in _chunks(scenes):
        to_hear = []
        for scene in chunk:
            try:
                sound = read_sound(scene)
            except (AudioError, OSError) as error:
                trial.skipped.append(Skip(scene.noisy.where or scene.id, str(error)))
                told(design.sounds(1))
                continue
            to_hear.append(_prepare(scene, sound, design, trial, memory))
            told(len(to_hear[-1].stimuli))
        for judge in design.judges:
            others = design.others(judge)
            own_stimuli = [stimuli.without(others) for stimuli in to_hear]
            trial.hearings.extend(hear(judge, own_stimuli, memory, told))
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
    if measure is not None:
        metrics = measure(samples, sound.clean, sound.noise, sound.rate_hz)
        if sound.clean is None:
            reason = "no clean target to compare with"
            metrics = replace(metrics, failed={**metrics.failed, COMPARING: reason})
    return Quality(scene, condition, OK, scores=metrics.scores, failed=metrics.failed)


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
