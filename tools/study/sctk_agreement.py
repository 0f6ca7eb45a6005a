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
OPERATIONS = re.compile(r"(?:^|:)([CSDI]),")
VERBOSE = re.compile(
    r"# segs: (?P<segments>\d+).*mean: (?P<mean>[-\d.]+)\) "
    r"\(std dev: (?P<deviation>[-\d.]+)\) \(Z Stat: (?P<z>[-\d.]+)"
)
ABBREVIATIONS = {"mapsswe": "MP", "sign": "SI", "wilc": "WI"}
UNIFIED = r"\|\s+{}\s+\|\|.*?([<\d.]+)\s+\**\s*\|\|"


@dataclass(frozen=True)
class RandomSet:
    """How large a set of random texts is, and what share of words two systems get wrong."""

    speakers: int
    sentences: int  # of each speaker
    first: float
    second: float


SETS = (
    RandomSet(speakers=5, sentences=12, first=0.15, second=0.15),
    RandomSet(speakers=12, sentences=5, first=0.15, second=0.2),
    RandomSet(speakers=9, sentences=8, first=0.12, second=0.15),
    RandomSet(speakers=20, sentences=10, first=0.2, second=0.18),
)
SYSTEMS = ("first", "second")
EQUAL_SENTENCES = 12


@dataclass
class Alignments:
    """Operations of two systems by utterance, as letters C, S, D and I."""

    speakers: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)


def main() -> None:
    """Print a line for each set; keep alignments and sc_stats' numbers where that is asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bin", type=Path, default=Path("/usr/lib/sctk/bin"))
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    kept = []
    for seed, random_set in enumerate(SETS):
        with tempfile.TemporaryDirectory() as folder:
            write_texts(Path(folder), seed, random_set)
            alignments, their_numbers = theirs(arguments.bin, Path(folder))
        print(f"{random_set.speakers} speakers, {random_set.sentences} sentences each")
        print_both(alignments, their_numbers)
        kept.append({"alignments": vars(alignments), "sc_stats": their_numbers})
    with tempfile.TemporaryDirectory() as folder:
        write_equal_differences(Path(folder))
        alignments, their_numbers = theirs(arguments.bin, Path(folder))
    print(f"{EQUAL_SENTENCES} sentences, each with a word that the first system alone has wrong")
    print_both(alignments, their_numbers)
    if arguments.keep:
        text = json.dumps(kept, indent=0)
        arguments.keep.write_text(text + "\n", encoding="utf-8")


def theirs(programs: Path, folder: Path) -> tuple[Alignments, dict[str, float | str]]:
    """Alignments by sclite of the texts in a folder, and what sc_stats says of them."""
    alignments = align(programs, folder)
    return alignments, sc_stats(programs, folder)


def print_both(alignments: Alignments, their_numbers: dict[str, float | str]) -> None:
    """The numbers of both programs."""
    print(f"  sc_stats {their_numbers}")
    print(f"  ctcasr   {ours(alignments)}")


def write_equal_differences(folder: Path) -> None:
    """ref.trn, first.trn and second.trn: all segments differ alike."""
    words = list(LETTERS[:8])
    wrong_words = [*words[:3], "one", *words[4:]]
    lines: dict[str, list[str]] = {"ref": [], "first": [], "second": []}
    for sentence in range(EQUAL_SENTENCES):
        name = f"(s{sentence % 4:02d}_{sentence:03d})"
        lines["ref"].append(trn_line(words, name))
        lines["first"].append(trn_line(wrong_words, name))
        lines["second"].append(trn_line(words, name))
    write_trn(folder, lines)


def write_texts(folder: Path, seed: int, random_set: RandomSet) -> None:
    """ref.trn, first.trn and second.trn with random errors."""
    generator = random.Random(seed)
    lines: dict[str, list[str]] = {"ref": [], "first": [], "second": []}
    for speaker in range(random_set.speakers):
        for sentence in range(random_set.sentences):
            name = f"(s{speaker:02d}_{sentence:03d})"
            words = random_words(generator)
            lines["ref"].append(trn_line(words, name))
            first = with_errors(generator, words, random_set.first)
            lines["first"].append(trn_line(first, name))
            second = with_errors(generator, words, random_set.second)
            lines["second"].append(trn_line(second, name))
    write_trn(folder, lines)


def write_trn(folder: Path, lines: dict[str, list[str]]) -> None:
    """A file of trn lines for each system, and for the reference."""
    for system, own_lines in lines.items():
        path = folder / f"{system}.trn"
        path.write_text("\n".join(own_lines) + "\n", encoding="utf-8")


def random_words(generator: random.Random) -> list[str]:
    """The words of one sentence."""
    count = generator.randint(4, 14)
    return [generator.choice(WORDS) for _ in range(count)]


def trn_line(words: list[str], name: str) -> str:
    """A line of sclite's trn format: the words, then the name of the utterance.

    Example:
        >>> trn_line(["one", "two"], "(s00_001)")
        'one two (s00_001)'
    """
    return f"{' '.join(words)} {name}"


def with_errors(generator: random.Random, words: list[str], share: float) -> list[str]:
    """Three substitutions for each deletion and insertion."""
    substituted = 0.6 * share
    substituted_or_deleted = 0.8 * share
    inserted = 0.2 * share
    changed = []
    for word in words:
        chance = generator.random()
        if chance < substituted:
            changed.append(generator.choice(WORDS))
        elif chance >= substituted_or_deleted:
            changed.append(word)
        if generator.random() < inserted:
            changed.append(generator.choice(WORDS))
    return changed


def align(programs: Path, folder: Path) -> Alignments:
    """sclite's alignments of both systems; first.sgml and second.sgml stay in the folder."""
    for system in SYSTEMS:
        command = [str(programs / "sclite"), "-r", "ref.trn", "trn", "-h", f"{system}.trn", "trn"]
        command += ["-i", "spu_id", "-o", "sgml", "-O", ".", "-n", system]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
    first = read_sgml(folder / "first.sgml")
    second = read_sgml(folder / "second.sgml")
    return Alignments(
        speakers=[speaker for speaker, _ in first],
        first=[operations for _, operations in first],
        second=[operations for _, operations in second],
    )


def read_sgml(path: Path) -> list[tuple[str, str]]:
    """(Speaker, operations) of each utterance in a report of sclite."""
    utterances = []
    speaker = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        heading = re.match(r'<SPEAKER id="(.*)">', line)
        if heading:
            speaker = heading[1]
        if line[:2] in ("C,", "S,", "D,", "I,"):
            operations = "".join(OPERATIONS.findall(line))
            utterances.append((speaker, operations))
    return utterances


def sc_stats(programs: Path, folder: Path) -> dict[str, float | str]:
    """What sc_stats prints: MAPSSWE's numbers, and p of three tests."""
    sgml = ""
    for system in SYSTEMS:
        sgml += (folder / f"{system}.sgml").read_text(encoding="utf-8")
    run_sc_stats(programs, folder, sgml, ["-t", "mapsswe", "-v", "-n", "verbose"])
    verbose = (folder / "verbose.stats.mapsswe").read_text(encoding="utf-8")
    mapsswe = VERBOSE.search(verbose)
    assert mapsswe is not None, verbose
    numbers: dict[str, float | str] = {}
    for name, number in mapsswe.groupdict().items():
        numbers[name] = float(number)
    for test, abbreviation in ABBREVIATIONS.items():
        run_sc_stats(programs, folder, sgml, ["-t", test, "-u", "-n", test])
        unified = (folder / f"{test}.stats.unified").read_text(encoding="utf-8")
        p_value = re.search(UNIFIED.format(abbreviation), unified)
        assert p_value is not None, unified
        numbers[test] = p_value[1]
    return numbers


def run_sc_stats(programs: Path, folder: Path, sgml: str, flags: list[str]) -> None:
    """Its reports are files in the folder."""
    command = [str(programs / "sc_stats"), "-p", "-r", "none", "-O", ".", *flags]
    subprocess.run(command, cwd=folder, input=sgml, text=True, capture_output=True)


def ours(alignments: Alignments) -> dict[str, float | str]:
    """The same numbers by ctcasr."""
    first = [words_of(operations) for operations in alignments.first]
    second = [words_of(operations) for operations in alignments.second]
    all_segments = []
    for of_first, of_second in zip(first, second, strict=True):
        all_segments += segments(of_first, of_second)
    mapsswe = matched_pairs(all_segments)
    first_rates = percent(alignments.speakers, first)
    second_rates = percent(alignments.speakers, second)
    sign = sign_test(first_rates, second_rates)
    wilcoxon = wilcoxon_test(first_rates, second_rates)
    return {
        "segments": mapsswe.segments,
        "mean": round(mapsswe.mean, 3),
        "deviation": round(mapsswe.deviation, 3),
        "z": round(mapsswe.z, 3),
        "mapsswe": f"{mapsswe.p:.3f}",
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
    words = dict.fromkeys(sorted(set(speakers)), 0)
    errors = dict.fromkeys(words, 0)
    for speaker, utterance in zip(speakers, aligned, strict=True):
        words[speaker] += len(utterance.correct)
        errors[speaker] += utterance.errors
    return [100 * errors[speaker] / words[speaker] for speaker in words]


if __name__ == "__main__":
    main()
