"""Plant errors in the transcripts of a manifest; what was done is kept in a file of its own.

python tools/study/mislabel.py MANIFEST --swap 0.3 --out planted.jsonl --truth truth.jsonl
python tools/study/mislabel.py MANIFEST --substitute 0.05 --delete 0.03 --insert 0.02 --out ...

Nobody but the scorer reads the truth: a line for each line of the planted manifest, with the text
as it was, the number of the line whose text stands there now (of a swap), and which words of the
planted text are wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest, write_manifest

_CUT_SHARES = (0.3, 0.6)  # of a cut recording so much is left out


@dataclass
class Truth:
    """What is wrong with one line of the planted manifest."""

    line: int
    kind: str = "right"  # right, swapped, words, cut
    text: str = ""  # as it was
    partner: int | None = None  # the line whose text stands here
    wrong: list[str] = field(default_factory=list)  # of each word: "" or substituted, inserted
    missing: list[int] = field(default_factory=list)  # words stood before these places


@dataclass(frozen=True)
class Shares:
    """How much of what is planted: of lines, or of words."""

    swap: float = 0.0  # lines whose text is that of another one
    cut: float = 0.0  # lines whose recording ends early
    substitute: float = 0.0  # words that are another one
    delete: float = 0.0  # words that were said and are not written
    insert: float = 0.0  # words that are written and were not said


def plant(
    utterances: Sequence[Utterance], shares: Shares, seed: int
) -> tuple[list[Utterance], list[Truth]]:
    """The utterances with errors, and the truth about each.

    Example:
        >>> lines = [Utterance(Path(f"{n}.wav"), text=f"word{n}") for n in range(4)]
        >>> planted, truths = plant(lines, Shares(swap=1.0), seed=0)
        >>> all(lines[truth.partner - 1].text == line.text for truth, line in zip(truths, planted))
        True
    """
    generator = Random(seed)
    vocabulary = _vocabulary(utterances)
    partners = _ring(utterances, shares.swap, generator)
    planted: list[Utterance] = []
    truths: list[Truth] = []
    for index, utterance in enumerate(utterances):
        words = words_of(utterance)
        truth = Truth(
            line=index + 1,
            text=utterance.text or "",
            wrong=[""] * len(words),
        )
        if index in partners:
            partner = utterances[partners[index]]
            line = utterance.with_text(partner.text)
            truth.kind = "swapped"
            truth.partner = partners[index] + 1
            truth.wrong = ["swapped"] * len(words_of(partner))
        elif generator.random() < shares.cut and utterance.duration:
            kept_share = 1 - generator.uniform(*_CUT_SHARES)
            kept_s = round(utterance.duration * kept_share, 4)
            line = replace(utterance, duration=kept_s)
            truth.kind = "cut"
        else:
            text = _spoil(words, shares, vocabulary, generator, truth)
            line = utterance.with_text(text)
        planted.append(line)
        truths.append(truth)
    return planted, truths


def words_of(utterance: Utterance) -> list[str]:
    """The words of its text; none where it has no text."""
    return (utterance.text or "").split()


def _vocabulary(utterances: Sequence[Utterance]) -> list[str]:
    """Every word as often as it occurs, so that one drawn of it is as frequent as in the texts."""
    words: list[str] = []
    for utterance in utterances:
        words += words_of(utterance)
    return words


def _ring(utterances: Sequence[Utterance], share: float, generator: Random) -> dict[int, int]:
    """Lines that take the text of the next in a ring, in which neighbours differ."""
    count = round(share * len(utterances))
    texts = [utterance.text for utterance in utterances]
    ring: list[int] = []
    for index in generator.sample(range(len(texts)), count):
        if not ring or texts[index] != texts[ring[-1]]:
            ring.append(index)
    while len(ring) > 1 and texts[ring[0]] == texts[ring[-1]]:
        ring.pop()
    if len(ring) < 2:
        return {}
    next_in_ring = [*ring[1:], ring[0]]
    return dict(zip(ring, next_in_ring, strict=True))


def _spoil(
    words: list[str], shares: Shares, vocabulary: list[str], generator: Random, truth: Truth
) -> str:
    """The text with wrong words; at least one word stays."""
    substituted_or_deleted = shares.substitute + shares.delete
    written: list[str] = []
    wrong: list[str] = []
    for place, word in enumerate(words):
        chance = generator.random()
        is_last = place == len(words) - 1
        may_be_deleted = bool(written) or not is_last
        if chance < shares.substitute:
            written.append(_another(word, vocabulary, generator))
            wrong.append("substituted")
        elif chance < substituted_or_deleted and may_be_deleted:
            truth.missing.append(len(written))
        else:
            written.append(word)
            wrong.append("")
        if generator.random() < shares.insert:
            written.append(generator.choice(vocabulary))
            wrong.append("inserted")
    if any(wrong) or truth.missing:
        truth.kind = "words"
    truth.wrong = wrong
    return " ".join(written)


def _another(word: str, vocabulary: list[str], generator: Random) -> str:
    """A word that is not this one, where there is any."""
    if len(set(vocabulary)) < 2:
        return word
    drawn = word
    while drawn == word:
        drawn = generator.choice(vocabulary)
    return drawn


def main(argv: Sequence[str] | None = None) -> None:
    """Read, plant, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    for name in asdict(Shares()):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    arguments = parser.parse_args(argv)
    shares = Shares(**{name: getattr(arguments, name) for name in asdict(Shares())})
    utterances = read_manifest(arguments.manifest).utterances
    planted, truths = plant(utterances, shares, arguments.seed)
    write_manifest(arguments.out, planted)
    lines = []
    for truth in truths:
        plain = json.dumps(asdict(truth), ensure_ascii=False)
        lines.append(plain + "\n")
    arguments.truth.write_text("".join(lines), encoding="utf-8")
    kinds = Counter(truth.kind for truth in truths)
    print(dict(kinds))


if __name__ == "__main__":
    main()
