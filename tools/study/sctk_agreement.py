"""Do MAPSSWE, sign and Wilcoxon tests say what NIST's own sc_stats says?

Random systems are aligned by sclite; sc_stats and ctcasr test the same alignments. Debian has both
programs as package sctk, below /usr/lib/sctk/bin.

python tools/study/sctk_agreement.py --bin /usr/lib/sctk/bin [--keep tests/scoring/sctk.json]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ctcasr.scoring.matched_pairs import AlignedWords, matched_pairs, segments
from ctcasr.scoring.rank_tests import sign_test, wilcoxon_test

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = (*LETTERS, "one", "two", "three")
SETS = ((5, 12, 0.15, 0.15), (12, 5, 0.15, 0.2), (9, 8, 0.12, 0.15), (20, 10, 0.2, 0.18))
OPERATIONS = re.compile(r"(?:^|:)([CSDI]),")
VERBOSE = re.compile(
    r"# segs: (?P<segments>\d+).*mean: (?P<mean>[-\d.]+)\) "
    r"\(std dev: (?P<deviation>[-\d.]+)\) \(Z Stat: (?P<z>[-\d.]+)"
)
ABBREVIATIONS = {"mapsswe": "MP", "sign": "SI", "wilc": "WI"}
UNIFIED = r"\|\s+{}\s+\|\|.*?([<\d.]+)\s+\**\s*\|\|"


@dataclass
class Alignments:
    """Operations of two systems by utterance, as letters C, S, D and I."""

    speakers: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)


def main() -> None:
    """Print a line for each set; keep alignments and sc_stats' numbers where that is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, default=Path("/usr/lib/sctk/bin"))
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    kept = []
    for seed, (speakers, sentences, first_share, second_share) in enumerate(SETS):
        with tempfile.TemporaryDirectory() as folder:
            write_texts(Path(folder), seed, speakers, sentences, (first_share, second_share))
            alignments = align(arguments.bin, Path(folder))
            theirs = sc_stats(arguments.bin, Path(folder))
        print(f"{speakers} speakers, {sentences} sentences each")
        print(f"  sc_stats {theirs}")
        print(f"  ctcasr   {ours(alignments)}")
        kept.append({"alignments": vars(alignments), "sc_stats": theirs})
    if arguments.keep:
        arguments.keep.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


def write_texts(
    folder: Path, seed: int, speakers: int, sentences: int, shares: tuple[float, float]
) -> None:
    """ref.trn, first.trn and second.trn with random errors."""
    rng = random.Random(seed)
    lines: dict[str, list[str]] = {"ref": [], "first": [], "second": []}
    for speaker in range(speakers):
        for sentence in range(sentences):
            words = [rng.choice(WORDS) for _ in range(rng.randint(4, 14))]
            name = f"(s{speaker:02d}_{sentence:03d})"
            lines["ref"].append(f"{' '.join(words)} {name}")
            for system, share in zip(("first", "second"), shares, strict=True):
                lines[system].append(f"{' '.join(with_errors(rng, words, share))} {name}")
    for system, own in lines.items():
        (folder / f"{system}.trn").write_text("\n".join(own) + "\n", encoding="utf-8")


def with_errors(rng: random.Random, words: list[str], share: float) -> list[str]:
    """Three substitutions for each deletion and insertion."""
    changed = []
    for word in words:
        dice = rng.random()
        if dice < 0.6 * share:
            changed.append(rng.choice(WORDS))
        elif dice >= 0.8 * share:
            changed.append(word)
        if rng.random() < 0.2 * share:
            changed.append(rng.choice(WORDS))
    return changed


def align(programs: Path, folder: Path) -> Alignments:
    """sclite's alignments of both systems; first.sgml and second.sgml stay in the folder."""
    alignments = Alignments()
    for system in ("first", "second"):
        command = [str(programs / "sclite"), "-r", "ref.trn", "trn", "-h", f"{system}.trn", "trn"]
        command += ["-i", "spu_id", "-o", "sgml", "-O", ".", "-n", system]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        speaker = ""
        for line in (folder / f"{system}.sgml").read_text(encoding="utf-8").splitlines():
            found = re.match(r'<SPEAKER id="(.*)">', line)
            if found:
                speaker = found[1]
            if line[:2] in ("C,", "S,", "D,", "I,"):
                getattr(alignments, system).append("".join(OPERATIONS.findall(line)))
                if system == "first":
                    alignments.speakers.append(speaker)
    return alignments


def sc_stats(programs: Path, folder: Path) -> dict[str, float | str]:
    """What sc_stats prints: MAPSSWE's numbers, and p of three tests."""
    sgml = ""
    for system in ("first", "second"):
        sgml += (folder / f"{system}.sgml").read_text(encoding="utf-8")
    run_sc_stats(programs, folder, sgml, ["-t", "mapsswe", "-v", "-n", "verbose"])
    verbose = (folder / "verbose.stats.mapsswe").read_text(encoding="utf-8")
    found = VERBOSE.search(verbose)
    assert found is not None, verbose
    numbers: dict[str, float | str] = {}
    for name, text in found.groupdict().items():
        numbers[name] = float(text)
    for test, abbreviation in ABBREVIATIONS.items():
        run_sc_stats(programs, folder, sgml, ["-t", test, "-u", "-n", test])
        unified = (folder / f"{test}.stats.unified").read_text(encoding="utf-8")
        p = re.search(UNIFIED.format(abbreviation), unified)
        assert p is not None, unified
        numbers[test] = p[1]
    return numbers


def run_sc_stats(programs: Path, folder: Path, sgml: str, flags: list[str]) -> None:
    """Its reports are files in the folder."""
    command = [str(programs / "sc_stats"), "-p", "-r", "none", "-O", ".", *flags]
    subprocess.run(command, cwd=folder, input=sgml, text=True, capture_output=True)


def ours(alignments: Alignments) -> dict[str, float | str]:
    """The same numbers by ctcasr."""
    first = [words_of(operations) for operations in alignments.first]
    second = [words_of(operations) for operations in alignments.second]
    found = []
    for one, other in zip(first, second, strict=True):
        found += segments(one, other)
    test = matched_pairs(found)
    first_rates = percent(alignments.speakers, first)
    second_rates = percent(alignments.speakers, second)
    sign = sign_test(first_rates, second_rates)
    wilcoxon = wilcoxon_test(first_rates, second_rates)
    return {
        "segments": test.segments,
        "mean": round(test.mean, 3),
        "deviation": round(test.deviation, 3),
        "z": round(test.z, 3),
        "mapsswe": f"{test.p:.3f}",
        "sign": f"{sign.p:.3f}",
        "wilc": f"{wilcoxon.p:.3f}",
    }


def words_of(operations: str) -> AlignedWords:
    """The words of a reference from letters C, S, D, I.

    Example:
        >>> words_of("CSIC")
        AlignedWords(correct=(True, False, True), inserted=(0, 0, 1, 0))
    """
    correct: list[bool] = []
    inserted = [0]
    for operation in operations:
        if operation == "I":
            inserted[-1] += 1
            continue
        correct.append(operation == "C")
        inserted.append(0)
    return AlignedWords(tuple(correct), tuple(inserted))


def percent(speakers: list[str], aligned: list[AlignedWords]) -> list[float]:
    """Word error rates of the speakers, in %."""
    rates = []
    for speaker in sorted(set(speakers)):
        own = [one for name, one in zip(speakers, aligned, strict=True) if name == speaker]
        words = sum(len(one.correct) for one in own)
        rates.append(100 * sum(one.errors for one in own) / words)
    return rates


if __name__ == "__main__":
    main()
