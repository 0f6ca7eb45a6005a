"""A word n-gram model with modified Kneser-Ney smoothing, written as an ARPA file.

python tools/train_lm.py TRAIN.jsonl [MORE.txt ...] --order 3 --dev-share 0.1 --out lm.arpa

Inputs are manifests (JSON lines) or texts (one sentence a line). Where counts of counts allow no
estimate of the discounts (a small or a closed corpus), those of the order are 0.5, 1 and 1.5, and
it is said. With kenlm installed, its perplexity is printed beside ours.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from ctcasr.batch import Utterance
from ctcasr.data import is_manifest, read_lines, read_manifest, split_dev
from ctcasr.run_cli import run_cli
from ctcasr.text import Lexicon, NGram, TakenOut, Tokenizer, make_tokenizer, train_ngram

Sentences = list[list[str]]
ARPA_MARK = b"\\data\\"  # begins an ARPA file, behind whatever stands before it
BEGINNING_BYTES = 4096  # of a file, where the mark is looked for


def main(argv: Sequence[str] | None = None) -> int:
    """Train, write, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--out", required=True, metavar="FILE.arpa")
    parser.add_argument("--order", type=int, default=3, metavar="N")
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.0,
        metavar="X",
        help="leave out of every manifest what a recipe with this share and --dev-seed holds out, "
        "and measure on it",
    )
    parser.add_argument("--dev-seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--test", metavar="FILE", help="measure the perplexity of another manifest or text"
    )
    parser.add_argument(
        "--words",
        metavar="FILE",
        help="words that belong to the vocabulary, seen or not (one a line)",
    )
    parser.add_argument(
        "--text",
        default="english38",
        help="alphabet whose written form is used (default: english38)",
    )
    parser.add_argument(
        "--digits",
        choices=("keep", "spell"),
        default="keep",
        help="keep digits, or spell them as words",
    )
    arguments = parser.parse_args(argv)
    refuse_other_files(Path(arguments.out))
    train_texts: list[str] = []
    held_texts: list[str] = []
    for name in arguments.inputs:
        learnt, held = texts_of(Path(name), arguments.dev_share, arguments.dev_seed)
        train_texts += learnt
        held_texts += held
    tokenizer = make_tokenizer(arguments.text, train_texts, digits=arguments.digits)
    taken_out = TakenOut()
    train = sentences_of(train_texts, tokenizer, taken_out)
    held_out = sentences_of(held_texts, tokenizer, taken_out)
    test: Sentences = []
    if arguments.test:  # read before anything is written
        test_texts, _ = texts_of(Path(arguments.test))
        test = sentences_of(test_texts, tokenizer, taken_out)
        if not test:
            raise ValueError(f"--test {arguments.test}: expected texts with words; got none")
    if taken_out:
        print(taken_out)
    words = Lexicon.read(arguments.words, tokenizer).words if arguments.words else ()
    trained = train_ngram(train, arguments.order, words)
    path = trained.model.write(arguments.out)
    model = NGram.read(path)  # what others will read, rounding included
    print(
        f"{path}: order {model.order}, {len(model.words)} words, {len(model.grams)} n-grams from "
        f"{len(train)} sentences"
    )
    for order, discounts in enumerate(trained.discounts, start=1):
        source = "estimated"
        if order in trained.fallback:
            source = "fallback, counts of counts allow no estimate"
        numbers = " ".join(f"{discount:.4f}" for discount in discounts)
        print(f"  order {order}: discounts {numbers} ({source})")
    report("train", model, path, train)
    if held_out:
        report("held out", model, path, held_out)
    if test:
        report(Path(arguments.test).name, model, path, test)
    return 0


def refuse_other_files(out: Path) -> None:
    """ValueError where anything but a model of before would be written over, as what is read."""
    if not out.is_file():
        return
    with out.open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
    if beginning and ARPA_MARK not in beginning:
        raise ValueError(
            f"--out {out}: expected a new file, or an ARPA file to write over; this file is none, "
            "and stays: name another one"
        )


def sentences_of(texts: Sequence[str], tokenizer: Tokenizer, taken_out: TakenOut) -> Sentences:
    """The words of each text that has some, as the tokenizer writes them."""
    sentences = []
    for text in texts:
        words = taken_out.add(tokenizer.reference(text)).split()
        if words:
            sentences.append(words)
    return sentences


def texts_of(path: Path, dev_share: float = 0.0, dev_seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of a manifest or of a text file: those to train on, and those held out."""
    if not is_manifest(path):
        return read_lines(path), []
    utterances = read_manifest(path).utterances
    train: Sequence[Utterance] = utterances
    held_out: Sequence[Utterance] = ()
    if dev_share:
        train, held_out = split_dev(utterances, dev_share, dev_seed)
    train_texts = [utterance.text or "" for utterance in train]
    return train_texts, [utterance.text or "" for utterance in held_out]


def report(name: str, model: NGram, path: Path, sentences: Sentences) -> None:
    """Perplexity and unknown words, ours and (where it is installed) KenLM's."""
    unknown = 0
    tokens = 0
    for sentence in sentences:
        unknown += sum(word not in model.words for word in sentence)
        tokens += len(sentence) + 1  # the end of the sentence too
    line = (
        f"  {name}: perplexity {model.perplexity(sentences):.4f} over {len(sentences)} sentences, "
        f"{unknown} unknown words"
    )
    try:
        import kenlm
    except ImportError:
        print(line)
        return
    peer = kenlm.Model(str(path))
    log10 = sum(peer.score(" ".join(sentence), bos=True, eos=True) for sentence in sentences)
    print(f"{line}; KenLM {math.pow(10.0, -log10 / tokens):.4f}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
