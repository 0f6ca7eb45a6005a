"""What came of an audit: suspects, the expected number of errors, and the files that say so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcasr.audit.kinds import RIGHT, SWAPPED, LineVerdict
from ctcasr.audit.verdicts import Judged
from ctcasr.batch import Skip, Utterance
from ctcasr.data import write_manifest
from ctcasr.data.skipped import skips_as_json
from ctcasr.decoding.hypothesis import finite_or_none
from ctcasr.kernels.atomic import write_text

SUSPECTED = 0.5  # posterior from which on a line is suspected
TOLERATED = 0.01  # share of lines that may be wrong before training is hurt, as the doctor has it
_FIXED = 0.9  # posterior from which on a suggestion is written
_WORDS_TOLD = 0.05  # posterior from which on a word is told of
_QUANTILE = 1.96  # of a 95 % interval

AUDIT = "audit.jsonl"
CLEAN = "clean.jsonl"
FIXED = "fixed.jsonl"


@dataclass(frozen=True)
class Audit:
    """All lines of a manifest with their verdicts."""

    manifest: str
    lines: tuple[LineVerdict, ...]
    skipped: tuple[Skip, ...]
    shares: Mapping[str, float]  # of errors, as they were fitted
    # Nats per symbol in each epoch of the training that learnt a line; empty with a checkpoint.
    dynamics: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @staticmethod
    def of(
        manifest: str,
        judged: Judged,
        skipped: Sequence[Skip],
        dynamics: Mapping[str, Sequence[float]],
    ) -> Audit:
        """The audit that a judgement comes to."""
        shares = {
            "swapped": judged.texts.swapped,
            "substituted": judged.words.substituted,
            "superfluous": judged.words.superfluous,
            "missing": judged.words.missing,
        }
        return Audit(manifest, judged.lines, tuple(skipped), shares, dynamics)

    @property
    def suspects(self) -> list[LineVerdict]:
        """Lines that are probably wrong, the surest first."""
        suspected = [line for line in self.lines if line.wrong >= SUSPECTED]
        return sorted(suspected, key=lambda line: -line.wrong)

    @property
    def expected(self) -> tuple[float, float, float]:
        """How many lines are wrong: expected, and the ends of a 95 % interval.

        The interval is that of lines which are wrong independently of each other, each with its
        posterior; it knows nothing of a network that hears badly as a whole.
        """
        mean = sum(line.wrong for line in self.lines)
        variance = sum(line.wrong * (1 - line.wrong) for line in self.lines)
        reach = _QUANTILE * math.sqrt(variance)
        return mean, max(mean - reach, 0.0), min(mean + reach, float(len(self.lines)))

    @property
    def hurts(self) -> bool:
        """True where more lines are suspected than the doctor tolerates."""
        return len(self.suspects) > TOLERATED * len(self.lines)

    def summary(self) -> dict[str, Any]:
        """Plain numbers for programs."""
        expected, least, most = self.expected
        kinds: dict[str, int] = {}
        for line in self.suspects:
            kinds[line.kind] = kinds.get(line.kind, 0) + 1
        return {
            "manifest": self.manifest,
            "lines": len(self.lines),
            "skipped": len(self.skipped),
            "suspects": len(self.suspects),
            "kinds": kinds,
            "expected": round(expected, 1),
            "interval": [round(least, 1), round(most, 1)],
            "shares": {name: round(share, 5) for name, share in self.shares.items()},
            "hurts": self.hurts,
            "skipped_lines": skips_as_json(self.skipped),
        }

    def plain_line(self, line: LineVerdict) -> dict[str, Any]:
        """What audit.jsonl says of one line."""
        words = []
        for word in line.words:
            if word.wrong >= _WORDS_TOLD:
                words.append(
                    {
                        "place": word.place,
                        "written": word.written,
                        "kind": word.kind,
                        "wrong": round(word.wrong, 4),
                        "suggestion": word.suggestion,
                    }
                )
        learnt = self.dynamics.get(line.heard.utterance.full_name, ())
        told = {
            "line": line_number(line.heard.utterance),
            "id": line.heard.utterance.id,
            "audio_filepath": str(line.heard.utterance.audio_filepath),
            "text": line.heard.text,
            "wrong": round(line.wrong, 4),
            "kind": line.kind,
            "kinds": {kind: round(share, 4) for kind, share in line.kinds.items()},
            "suggestion": line.suggestion if line.kind != RIGHT else line.heard.text,
            "heard": line.heard.hypothesis,
            "nats_per_symbol": finite_or_none(line.nats_per_symbol, 3),
            "words": words,
        }
        if line.kind == SWAPPED:
            told["partner_share"] = round(line.partner_share, 4)
            told["partner_lines"] = self.lines_with(line.partner)
        if learnt:
            told["training_losses"] = [finite_or_none(loss, 3) for loss in learnt]
        return told

    def lines_with(self, text: str) -> list[int]:
        """Numbers of the lines that have a text."""
        numbers = []
        for line in self.lines:
            if line.heard.text == text:
                numbers.append(line_number(line.heard.utterance))
        return numbers

    def write(self, out: Path, *, fix: bool = False) -> list[Path]:
        """audit.jsonl, clean.jsonl and, on request, fixed.jsonl in folder `out`; their paths.

        In fixed.jsonl, lines that are wrong with a posterior of 0.9 or more have the suggested
        text; those without any are left out.
        """
        out.mkdir(parents=True, exist_ok=True)
        ordered = sorted(self.lines, key=lambda line: -line.wrong)
        rows = []
        for line in ordered:
            plain = self.plain_line(line)
            rows.append(json.dumps(plain, ensure_ascii=False, allow_nan=False))
        write_text(out / AUDIT, "".join(row + "\n" for row in rows))
        clean = [line.heard.utterance for line in self.lines if line.wrong < SUSPECTED]
        write_manifest(out / CLEAN, clean)
        paths = [out / AUDIT, out / CLEAN]
        if fix:
            write_manifest(out / FIXED, self.fixed())
            paths.append(out / FIXED)
        return paths

    def fixed(self) -> list[Utterance]:
        """The lines with suggestions in place of what is surely wrong."""
        lines = []
        for line in self.lines:
            utterance = line.heard.utterance
            if line.wrong >= _FIXED:
                if not line.suggestion:
                    continue
                utterance = utterance.with_text(line.suggestion)
            lines.append(utterance)
        return lines


def line_number(utterance: Utterance) -> int:
    """Number of the line in its manifest, from 1; 0 where it was not read from one."""
    number = utterance.where.rpartition(":")[2]
    return int(number) if number.isdigit() else 0
