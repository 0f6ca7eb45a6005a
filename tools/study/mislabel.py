"""Plant errors in the transcripts of a manifest; what was done is kept in a file of its own.

python tools/study/mislabel.py MANIFEST --swap 0.3 --out planted.jsonl --truth truth.jsonl
python tools/study/mislabel.py MANIFEST --substitute 0.05 --delete 0.03 --insert 0.02 --out ...
python tools/study/mislabel.py MANIFEST --silent 0.05 --noises NOISES --out ...

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
from ctcasr.corpora._prepare import refuse_read
from ctcasr.data import read_manifest, write_manifest

_CUT_SHARES = (0.3, 0.6)  # of a cut recording so much is left out
NO_SPEECH = "no-speech"
FOREIGN = "foreign"
TAKE = "take"
_PAIRS = ("FS", "MN", "BP")  # letters whose names are hardly told apart
ALIKE = {pair[0]: pair[1] for pair in _PAIRS} | {pair[1]: pair[0] for pair in _PAIRS}


@dataclass
class Truth:
    """What is wrong with one line of the planted manifest."""

    line: int
    kind: str = "right"  # right, swapped, words, cut, no-speech, foreign, take
    text: str = ""  # as it was
    partner: int | None = None  # the line whose text stands here
    # Of each word: "", or why it is wrong.
    wrong: list[str] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)  # words stood before these places


@dataclass(frozen=True)
class Shares:
    """How much of what is planted: of lines, or of words."""

    swap: float = 0.0  # lines whose text is that of another one
    cut: float = 0.0  # lines whose recording ends early
    substitute: float = 0.0  # words that are another one
    delete: float = 0.0  # words that were said and are not written
    insert: float = 0.0  # words that are written and were not said
    alike: float = 0.0  # of letters that sound like another, those written as that
    silent: float = 0.0  # lines whose recording is noise
    foreign: float = 0.0  # lines whose recording is another language's
    take: float = 0.0  # lines whose recording is another speaker's, of the same text


@dataclass(frozen=True)
class Sounds:
    """Recordings that are put in the place of others."""

    noises: Sequence[Utterance] = ()
    foreign: Sequence[Utterance] = ()


def plant(
    utterances: Sequence[Utterance], shares: Shares, seed: int, sounds: Sounds = Sounds()
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
    exchange = _Exchange(utterances, sounds, Random(f"recordings {seed}"))
    replaced = exchange.replaced(shares, set(partners))
    alike = _Alike(shares.alike, Random(f"alike {seed}"))
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
        elif index in replaced:
            line = replaced[index].line
            truth.kind = replaced[index].kind
            if truth.kind != TAKE:
                truth.wrong = [truth.kind] * len(words)
        elif generator.random() < shares.cut and utterance.duration:
            kept_share = 1 - generator.uniform(*_CUT_SHARES)
            kept_s = round(utterance.duration * kept_share, 4)
            line = replace(utterance, duration=kept_s)
            truth.kind = "cut"
        else:
            text = _spoil(words, shares, vocabulary, generator, alike, truth)
            line = utterance.with_text(text)
        planted.append(line)
        truths.append(truth)
    return planted, truths


@dataclass(frozen=True)
class Replaced:
    """A line that has another recording now."""

    kind: str
    line: Utterance


class _Exchange:
    """Puts other recordings in the place of those of some lines."""

    def __init__(self, utterances: Sequence[Utterance], sounds: Sounds, generator: Random) -> None:
        self.utterances = utterances
        self.sounds = sounds
        self.generator = generator
        self.by_text: dict[str | None, list[Utterance]] = {}
        for utterance in utterances:
            self.by_text.setdefault(utterance.text, []).append(utterance)

    def replaced(self, shares: Shares, taken: set[int]) -> dict[int, Replaced]:
        """Lines with another recording, by their index; lines in `taken` are left as they are.

        Raises:
            ValueError: without recordings to take.
        """
        if shares.silent and not self.sounds.noises:
            raise ValueError("--silent: expected recordings of noise; give --noises MANIFEST")
        if shares.foreign and not self.sounds.foreign:
            raise ValueError("--foreign: expected recordings; give --foreign-from MANIFEST")
        free = [index for index in range(len(self.utterances)) if index not in taken]
        self.generator.shuffle(free)
        shares_by_kind = {TAKE: shares.take, NO_SPEECH: shares.silent, FOREIGN: shares.foreign}
        replaced: dict[int, Replaced] = {}
        for kind, share in shares_by_kind.items():
            count = round(share * len(self.utterances))
            replaced |= self._of_kind(kind, count, free)
            free = [index for index in free if index not in replaced]
        return replaced

    def _of_kind(self, kind: str, count: int, free: Sequence[int]) -> dict[int, Replaced]:
        """So many lines of one kind, or as many as can be had."""
        replaced: dict[int, Replaced] = {}
        for index in free:
            if len(replaced) == count:
                break
            line = self._with_another(self.utterances[index], kind)
            if line is not None:
                replaced[index] = Replaced(kind, line)
        return replaced

    def _with_another(self, line: Utterance, kind: str) -> Utterance | None:
        """The line with another recording; None where there is none of the kind."""
        if kind == NO_SPEECH:
            return self._excerpt(line, self.generator.choice(self.sounds.noises))
        if kind == FOREIGN:
            return _with_recording(line, self.generator.choice(self.sounds.foreign))
        takes = [take for take in self.by_text[line.text] if take.speaker != line.speaker]
        if not takes:
            return None
        return _with_recording(line, self.generator.choice(takes))

    def _excerpt(self, line: Utterance, noise: Utterance) -> Utterance:
        """The line with as long a part of a noise, or all of a shorter one."""
        whole_s = noise.duration or 0.0
        wanted_s = min(line.duration or whole_s, whole_s)
        start_s = self.generator.uniform(0.0, whole_s - wanted_s)
        part = replace(noise, offset=round(start_s, 4), duration=round(wanted_s, 4))
        return _with_recording(line, part)


def _with_recording(line: Utterance, sound: Utterance) -> Utterance:
    """The line with another recording; text and speaker stay."""
    return replace(
        line,
        audio_filepath=sound.audio_filepath,
        offset=sound.offset,
        duration=sound.duration,
    )


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


class _Alike:
    """Writes some letters as those that sound like them."""

    def __init__(self, share: float, generator: Random) -> None:
        self.share = share
        self.generator = generator

    def takes(self, word: str) -> bool:
        """Whether this word becomes another; only of words that could is the dice thrown."""
        return word.upper() in ALIKE and self.generator.random() < self.share


def _spoil(
    words: list[str],
    shares: Shares,
    vocabulary: list[str],
    generator: Random,
    alike: _Alike,
    truth: Truth,
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
        elif alike.takes(word):
            written.append(ALIKE[word.upper()])
            wrong.append("alike")
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


def add_sounds(parser: argparse.ArgumentParser) -> None:
    """The flags of recordings that are put in the place of others."""
    parser.add_argument("--noises", metavar="MANIFEST", help="recordings without speech")
    parser.add_argument("--foreign-from", metavar="MANIFEST", help="of another language")


def sounds_of(arguments: argparse.Namespace) -> Sounds:
    """What these flags name."""
    noises: Sequence[Utterance] = ()
    foreign: Sequence[Utterance] = ()
    if arguments.noises:
        noises = read_manifest(arguments.noises).utterances
    if arguments.foreign_from:
        foreign = read_manifest(arguments.foreign_from).utterances
    return Sounds(noises, foreign)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, plant, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    for name in asdict(Shares()):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE")
    add_sounds(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    arguments = parser.parse_args(argv)
    shares = Shares(**{name: getattr(arguments, name) for name in asdict(Shares())})
    refuse_read([arguments.out, arguments.truth], [Path(arguments.manifest)])
    utterances = read_manifest(arguments.manifest).utterances
    planted, truths = plant(utterances, shares, arguments.seed, sounds_of(arguments))
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
