"""What was left out of a score, so that nobody takes the score of the rest for that of all."""

from __future__ import annotations

from collections.abc import Sequence

from ctcasr.batch import Skip
from ctcasr.scoring.figures import percent

WARNING_SHARE = 0.01  # of a manifest: where so much is left out, a figure is told with a warning
_REASONS = 3  # that are printed


class NothingScoredError(ValueError):
    """Nothing of a manifest could be scored, so there is no figure; says the first reasons."""


def skips_as_json(skips: Sequence[Skip]) -> list[dict[str, str]]:
    """Plain data: "where" and "reason" of each.

    Example:
        >>> skips_as_json([Skip("m.jsonl:3", "no such file")])
        [{'where': 'm.jsonl:3', 'reason': 'no such file'}]
    """
    return [{"where": skip.where, "reason": skip.reason} for skip in skips]


def skip_warning(skips: Sequence[Skip], scored: int) -> str:
    """What stands behind a figure: nothing, or from 1 % of skips on that it is not that of all.

    Example:
        >>> skip_warning([Skip("m.jsonl:3", "no such file")], 3)
        '; WARNING: 25 % of the manifest is in no figure here (m.jsonl:3: no such file)'
        >>> skip_warning([Skip("m.jsonl:3", "no such file")], 999)
        ''
    """
    if not skips:
        return ""
    share = len(skips) / (len(skips) + scored)
    if share < WARNING_SHARE:
        return ""
    first = skips[0]
    return (
        f"; WARNING: {percent(share)} of the manifest is in no figure here "
        f"({first.where}: {first.reason})"
    )


def refuse_nothing(skips: Sequence[Skip], scored: int) -> None:
    """Where nothing is left there is no figure.

    Raises:
        NothingScoredError: names the first reasons.
    """
    if scored:
        return
    if not skips:
        raise NothingScoredError("expected utterances to score; the manifest has none")
    lines = [f"  {skip.where}: {skip.reason}" for skip in skips[:_REASONS]]
    more = len(skips) - len(lines)
    if more:
        lines.append(f"  and {more} more")
    raise NothingScoredError(
        f"expected something to score; all {len(skips)} were skipped:\n" + "\n".join(lines)
    )
