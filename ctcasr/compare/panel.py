"""A panel of judges: does an enhancer help those that hear badly and harm those that hear well?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctcasr.compare.enhanced import CLEAN, NOISY
from ctcasr.compare.summary import Summary
from ctcasr.scoring.bootstrap import HARMS, HELPS, Difference


@dataclass(frozen=True)
class Effect:
    """What an enhancer does to one judge: its difference of WER to noisy."""

    judge: str
    difference: Difference


@dataclass(frozen=True)
class Panel:
    """Judges from the strongest to the weakest, and the effects by enhancer in that order."""

    judges: list[str]
    strength: dict[str, float]  # WER on clean speech; on noisy where there is no clean
    effects: dict[str, list[Effect]]

    @property
    def turns(self) -> list[str]:
        """For each enhancer, where the sign of its effect turns, as far as it is decided."""
        sentences = []
        for enhancer, effects in self.effects.items():
            sentences.append(f"{enhancer}: {_turn(effects)}")
        return sentences


def panel_of(summary: Summary) -> Panel:
    """The panel of a trial.

    Enhancers without a difference to noisy are left out, and so is what a recogniser says of one
    that was trained to please it.
    """
    strength: dict[str, float] = {}
    for condition in (CLEAN, NOISY):
        for row in summary.rows:
            if row.condition == condition and row.errors.words.rate is not None:
                strength.setdefault(row.judge, row.errors.words.rate)
    judges = sorted(strength, key=lambda judge: (strength[judge], judge))
    others = {CLEAN, NOISY}
    others.update(choice.condition for choice in summary.choices if choice.is_mixture)
    effects: dict[str, list[Effect]] = {}
    for row in summary.rows:
        if row.condition in others or row.against is None or row.judge not in strength:
            continue
        if row.own_listener:
            continue
        effect = Effect(row.judge, row.against)
        effects.setdefault(row.condition, []).append(effect)
    for of_enhancer in effects.values():
        of_enhancer.sort(key=lambda effect: judges.index(effect.judge))
    return Panel(judges, strength, effects)


def _turn(effects: Sequence[Effect]) -> str:
    """A sentence about judges from the strongest on."""
    words = [effect.difference.word for effect in effects]
    harmed = _judges_of(effects, HARMS)
    helped = _judges_of(effects, HELPS)
    all_harmed = ", ".join(harmed)
    all_helped = ", ".join(helped)
    if not harmed and not helped:
        return "undecided for every recogniser"
    if not harmed:
        return f"helps {all_helped}; harms none that is decided"
    if not helped:
        return f"harms {all_harmed}; helps none that is decided"
    both = f"harms {all_harmed} and helps {all_helped}"
    first_helped = words.index(HELPS)
    if HARMS in words[first_helped:]:
        return f"{both}: the sign does not follow the strength on clean speech"
    return f"{both}: the sign turns between {harmed[-1]} and {helped[0]}"


def _judges_of(effects: Sequence[Effect], word: str) -> list[str]:
    """The judges of which an enhancer has this word."""
    judges = []
    for effect in effects:
        if effect.difference.word == word:
            judges.append(effect.judge)
    return judges
