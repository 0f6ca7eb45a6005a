"""From hearings to answers: rates, strata, and which differences are real."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import NamedTuple

from ctcasr.compare.choice import Choice
from ctcasr.compare.enhanced import CLEAN, MISSING, NOISY
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.quality import SoundSummary, metric_failures, summarise_sound
from ctcasr.compare.scene import STRATA, Scene
from ctcasr.compare.significance import Tested, decide_family
from ctcasr.compare.strata import natural_order
from ctcasr.compare.trial import Quality, Trial
from ctcasr.scoring.bootstrap import (
    DRAWS,
    FEW_SPEAKERS,
    LEVEL,
    Bounds,
    Difference,
    Floats,
    Paired,
    draw,
    interval,
    unit_sums,
)
from ctcasr.scoring.errors import ErrorRates, ErrorTally

WHOLE = "all"  # the group of all scenes
Sound = dict[str, SoundSummary]  # by condition
PlainSound = dict[str, dict[str, float | int]]
StrataSound = dict[str, dict[str, Sound]]  # kind -> stratum
Unit = Callable[[Scene], str]  # the independent unit that a scene belongs to


class Cell(NamedTuple):
    """One judge under one condition."""

    judge: str
    condition: str


class Place(NamedTuple):
    """A cell in a group of scenes."""

    group: str
    cell: Cell


Hearings = Mapping[Cell, Mapping[str, Hearing]]  # cell -> scene id -> hearing


@dataclass(frozen=True)
class Row:
    """One judge and one condition over some scenes."""

    judge: str
    condition: str
    errors: ErrorRates
    interval: Bounds  # of the WER, 95 %
    lost: Mapping[str, int]  # scenes without a hypothesis, by status
    wer_lost_as_deletions: float | None  # WER if every word of these counted as deleted
    against: Difference | None = None  # to noisy, on the scenes that have both; None: no words
    sign_flip_p: float | None = None  # of the same difference, by the second test
    mean_wer: float | None = None  # of the utterances' own rates, instead of all words together
    loops: int = 0  # hypotheses that repeat themselves without end
    own_listener: bool = False  # the enhancer was trained to please this judge


StrataRows = dict[str, dict[str, list[Row]]]  # kind -> stratum -> rows


@dataclass(frozen=True)
class Summary:
    """All rows, overall and by stratum; the sound of each condition."""

    unit: str  # "speaker" or "sentence": what the bootstrap draws
    units: int  # of the scenes that anybody heard
    rows: list[Row]
    strata: StrataRows
    choices: list[Choice]
    sound: Sound
    failures: dict[str, dict[str, int]]  # metric -> reason -> count
    strata_sound: StrataSound

    def sound_as_json(self) -> PlainSound:
        """Condition -> plain data of its SoundSummary."""
        return _sound_as_json(self.sound)

    def strata_sound_as_json(self) -> dict[str, dict[str, PlainSound]]:
        """Kind -> stratum -> condition -> plain data."""
        plain: dict[str, dict[str, PlainSound]] = {}
        for kind, strata in self.strata_sound.items():
            plain[kind] = {name: _sound_as_json(sound) for name, sound in strata.items()}
        return plain


def _sound_as_json(sound: Sound) -> PlainSound:
    return {condition: summary.as_json() for condition, summary in sound.items()}


@dataclass(frozen=True)
class Setting:
    """What a summary depends on beside the hearings."""

    listeners: Mapping[str, str]  # enhancer -> fingerprint of the recogniser it pleases, or ""
    judges: Mapping[str, str]  # judge -> fingerprint, or ""
    choices: Sequence[Choice] = field(default_factory=tuple)
    draws: int = DRAWS
    seed: int = 0
    block: str = ""  # field whose values are independent of each other; "": speakers or sentences

    def conditions(self, judge: str) -> list[str]:
        """Those that a judge's rows are about, in order.

        A share of 0 or 1 is the enhancer or the noisy sound itself: no condition of its own.
        """
        mixtures = []
        for choice in self.choices:
            if choice.judge == judge and choice.is_mixture:
                mixtures.append(choice.condition)
        return [CLEAN, NOISY, *self.listeners, *mixtures]

    def own_listener(self, cell: Cell) -> bool:
        """Whether a judge hears an enhancer that was trained to please it."""
        enhancer = cell.condition
        for choice in self.choices:
            if choice.judge == cell.judge and choice.condition == cell.condition:
                enhancer = choice.enhancer
        fingerprint = self.judges[cell.judge]
        return fingerprint in self.listeners.get(enhancer, "").split()


def summarise(trial: Trial, test_scenes: Sequence[Scene], setting: Setting) -> Summary:
    """Rows of the test part, over all scenes and over those of each stratum.

    Scenes that nobody could hear are in no row, no stratum and no number of units.
    """
    tested = trial.part(test_scenes)
    heard_scenes = tested.heard(test_scenes)
    unit_name, unit = unit_of(heard_scenes, setting.block)
    hearings = _by_cell(tested.hearings, setting)
    table = _Table(hearings, unit, setting)
    strata: StrataRows = {}
    strata_sound: StrataSound = {}
    tried_ids = {hearing.scene.id for hearing in tested.hearings}
    tried_scenes = [scene for scene in test_scenes if scene.id in tried_ids]
    for kind in STRATA:
        members = _members(tried_scenes, kind)
        if members:
            strata[kind] = table.strata(members)
            strata_sound[kind] = _sound_of_strata(tested.qualities, members)
    return Summary(
        unit=unit_name,
        units=len({unit(scene) for scene in heard_scenes}),
        rows=table.strata({WHOLE: tried_ids})[WHOLE],
        strata=strata,
        choices=list(setting.choices),
        sound=summarise_sound(tested.qualities),
        failures=metric_failures(tested.qualities),
        strata_sound=strata_sound,
    )


def unit_of(scenes: Sequence[Scene], block: str = "") -> tuple[str, Unit]:
    """What is independent of what, and how it is called.

    The values of the field `block`; without one, speakers where there are at least 20 of them,
    else the sentences that were mixed.

    Raises:
        ValueError: where a scene lacks the field.
    """
    if block:
        return block, _unit_by_field(scenes, block)
    speakers = {scene.speaker for scene in scenes}
    if None not in speakers and len(speakers) >= FEW_SPEAKERS:
        return "speaker", lambda scene: str(scene.speaker)
    return "sentence", lambda scene: scene.source


def _unit_by_field(scenes: Sequence[Scene], block: str) -> Unit:
    """The value of a stratum, or of any other field of a scene's line."""
    units: dict[str, str] = {}
    for scene in scenes:
        known = {"label": scene.noisy.label, "fold": scene.noisy.fold, **scene.noisy.extra}
        value = scene.stratum(block) or known.get(block)
        if value is None:
            raise ValueError(
                f"--block {block}: expected this field in every scene; {scene.id} has none"
            )
        units[scene.id] = str(value)
    return lambda scene: units[scene.id]


@dataclass(frozen=True)
class _Table:
    """Hearings from which rows are made, over any set of scenes."""

    hearings: Hearings
    unit: Unit
    setting: Setting

    def strata(self, members: Mapping[str, set[str]]) -> dict[str, list[Row]]:
        """The rows of each group of scenes; the tests of all groups are one family."""
        pairs = {}
        for name, scene_ids in members.items():
            for cell, pair in self.pairs(scene_ids).items():
                pairs[Place(name, cell)] = pair
        tests = self.decide(pairs)
        strata = {}
        for name, scene_ids in members.items():
            of_group = {place.cell: test for place, test in tests.items() if place.group == name}
            strata[name] = self.rows(scene_ids, of_group)
        return strata

    def rows(self, scene_ids: set[str], tests: Mapping[Cell, Tested]) -> list[Row]:
        """The rows of some scenes with their tests."""
        return [self.row(cell, scene_ids, tests.get(cell)) for cell in self.hearings]

    def pairs(self, scene_ids: set[str]) -> dict[Cell, Paired]:
        """Every condition beside noisy, on some scenes; without words there is no difference."""
        pairs = {}
        for cell in self.hearings:
            if cell.condition == NOISY:
                continue
            pair = self.paired(cell, scene_ids)
            if pair.words.sum():
                pairs[cell] = pair
        return pairs

    def decide(self, pairs: Mapping[Place, Paired]) -> dict[Place, Tested]:
        """One family of tests; the clean speech is no candidate and tested alone."""
        tests: dict[Place, Tested] = {}
        candidates: dict[Place, Paired] = {}
        for place, pair in pairs.items():
            if place.cell.condition == CLEAN:
                tests |= decide_family({place: pair}, self.setting.draws, self.setting.seed)
            else:
                candidates[place] = pair
        tests |= decide_family(candidates, self.setting.draws, self.setting.seed)
        return tests

    def paired(self, cell: Cell, scene_ids: set[str]) -> Paired:
        """Word errors of a condition beside those of noisy, on the scenes that have both."""
        noisy_hearings = self.hearings[Cell(cell.judge, NOISY)]
        base = _UnitErrors()
        other = _UnitErrors()
        for hearing in self.heard(cell, scene_ids):
            noisy = noisy_hearings.get(hearing.scene.id)
            if noisy is None or noisy.errors is None or hearing.errors is None:
                continue
            unit = self.unit(hearing.scene)
            base.add(unit, noisy.errors.words)
            other.add(unit, hearing.errors.words)
        base_errors, words = base.sums()
        other_errors, _ = other.sums()
        return Paired(base_errors, other_errors, words)

    def row(self, cell: Cell, scene_ids: set[str], tested: Tested | None) -> Row:
        """One judge and one condition over some scenes."""
        errors = ErrorRates()
        by_unit = _UnitErrors()
        lost: Counter[str] = Counter()
        lost_words = 0
        loops = 0
        own_rates = []
        for hearing in self.heard(cell, scene_ids):
            if hearing.errors is None:
                lost[hearing.status] += 1
                lost_words += len(hearing.reference.split())
                continue
            errors += hearing.errors
            if hearing.errors.words.rate is not None:
                own_rates.append(hearing.errors.words.rate)
            loops += hearing.is_loop
            by_unit.add(self.unit(hearing.scene), hearing.errors.words)
        all_words = errors.words.total + lost_words
        wrong_words = errors.words.errors + lost_words
        return Row(
            judge=cell.judge,
            condition=cell.condition,
            errors=errors,
            interval=by_unit.interval(self.setting),
            lost=dict(lost),
            wer_lost_as_deletions=wrong_words / all_words if all_words else None,
            against=tested.difference if tested else None,
            sign_flip_p=tested.sign_flip_p if tested else None,
            mean_wer=mean(own_rates) if own_rates else None,
            loops=loops,
            own_listener=self.setting.own_listener(cell),
        )

    def heard(self, cell: Cell, scene_ids: set[str]) -> Iterator[Hearing]:
        """The hearings of a judge under a condition, of some scenes."""
        for scene_id, hearing in self.hearings[cell].items():
            if scene_id in scene_ids:
                yield hearing


@dataclass
class _UnitErrors:
    """Word errors of many scenes, and the unit that each belongs to."""

    units: list[str] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)

    def add(self, unit: str, words: ErrorTally) -> None:
        """One scene more."""
        self.units.append(unit)
        self.errors.append(words.errors)
        self.words.append(words.total)

    def sums(self) -> list[Floats]:
        """Errors and words [U], summed over each unit."""
        return unit_sums(self.units, self.errors, self.words)

    def interval(self, setting: Setting) -> Bounds:
        """95 % interval of the WER: the difference to a system without an error.

        Infinite without words.
        """
        if not sum(self.words):
            return (-math.inf, math.inf)
        errors, words = self.sums()
        drawn = draw(Paired(0 * errors, errors, words), setting.draws, setting.seed)
        return interval(drawn, len(errors), LEVEL)


def _by_cell(hearings: Iterable[Hearing], setting: Setting) -> dict[Cell, dict[str, Hearing]]:
    """Hearings of the conditions that a judge's rows are about."""
    conditions = {judge: setting.conditions(judge) for judge in setting.judges}
    by_cell: dict[Cell, dict[str, Hearing]] = {}
    for hearing in hearings:
        if hearing.condition in conditions.get(hearing.judge, ()):
            cell = Cell(hearing.judge, hearing.condition)
            by_cell.setdefault(cell, {})[hearing.scene.id] = hearing
    return {cell: heard for cell, heard in by_cell.items() if not _is_absent(cell, heard)}


def _is_absent(cell: Cell, heard: Mapping[str, Hearing]) -> bool:
    """Whether no scene has a clean file: then there is no such condition."""
    if cell.condition != CLEAN:
        return False
    return all(hearing.status == MISSING for hearing in heard.values())


def _members(scenes: Iterable[Scene], kind: str) -> dict[str, set[str]]:
    """The scenes' names by their groups: bins of SNR in order, everything else by name."""
    members: dict[str, set[str]] = {}
    for scene in scenes:
        name = scene.stratum(kind)
        if name is not None:
            members.setdefault(name, set()).add(scene.id)
    return {name: members[name] for name in sorted(members, key=natural_order)}


def _sound_of_strata(
    qualities: Sequence[Quality], members: Mapping[str, set[str]]
) -> dict[str, Sound]:
    """The sound of each group of scenes."""
    sound = {}
    for name, scene_ids in members.items():
        of_group = [quality for quality in qualities if quality.scene.id in scene_ids]
        sound[name] = summarise_sound(of_group)
    return sound
