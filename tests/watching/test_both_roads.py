"""A training of ours, watched: both roads to a verdict see the same numbers at the same steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ctcasr.records import CheckRecord
from ctcasr.watching.session import Watch
from tests.diagnose.conftest import RATE_HZ, SMALL, Case, run_case

LETTERS = "abcdef"
HEARD = {"wrong-sample-rate", "audio-without-voice"}  # causes of samples, that a loss has not
SAME = (
    "rows",
    "nll",
    "own",
    "other",
    "pairs",
    "gap_error",
    "cer",
    "deletions",
    "insertions",
    "uniform",
    "labels",
    "top_probability",
    "already_softmax",
)
PLANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "a rate of zero": ("learning-rate-zero", {"lr": 0.0}),
    "a rate far too high": ("learning-rate-too-high", {"lr": 1.0}),
    "nothing": ("", {"epochs": 4}),
}


def tones(count: int, seed: int) -> list[tuple[str, Tensor]]:
    """Texts of two or three letters, each a tone of its own."""
    draw = torch.Generator().manual_seed(seed)
    seconds = torch.arange(RATE_HZ // 5) / RATE_HZ
    items = []
    for _ in range(count):
        length = int(torch.randint(2, 4, (), generator=draw))
        places = torch.randint(len(LETTERS), (length,), generator=draw).tolist()
        sounds = []
        for place in places:
            sounds.append(0.3 * torch.sin(2 * torch.pi * (300 + 250 * place) * seconds))
            sounds.append(torch.zeros(RATE_HZ // 20))
        sound = torch.cat(sounds)
        noise = 0.01 * torch.randn(len(sound), generator=draw)
        items.append(("".join(LETTERS[place] for place in places), sound + noise))
    return items


def slugs(verdict: Any) -> list[str]:
    return [cause["slug"] for cause in verdict["causes"] if cause["slug"] not in HEARD]


@pytest.mark.parametrize("planted", PLANTED)
def test_steps_evidence_and_first_cause_are_the_same_by_both_roads(
    planted: str, tmp_path: Path
) -> None:
    slug, changes = PLANTED[planted]
    case = Case(tones(72, 0), tones(16, 1), SMALL, **changes)
    session = Watch(say=None, share=1.0)
    with session:
        records = run_case(case, tmp_path)
    checks = [record for record in records if record["kind"] == "check"]
    watched = [record for record in session.file.history if isinstance(record, CheckRecord)]
    assert [check["step"] for check in checks] == [record.step for record in watched]
    for check, record in zip(checks, watched, strict=True):
        own = check["evidence"]["dev"]
        seen = record.evidence["dev"]
        assert {name: seen[name] for name in SAME} == pytest.approx(
            {name: own[name] for name in SAME}, rel=1e-4
        )
        # The steps by which a training of ours is timed beforehand are seen as well.
        assert seen["deaf"] == pytest.approx(own["deaf"], rel=0.02)
        assert record.verdict is not None
        assert slugs(record.verdict)[:1] == slugs(check["verdict"])[:1]
    assert slugs(checks[-1]["verdict"])[:1] == [slug][: len(slug)]
