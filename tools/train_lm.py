"""A word n-gram model with modified Kneser-Ney smoothing, written as an ARPA file.

python tools/train_lm.py TRAIN.jsonl [MORE.txt ...] --order 3 --dev-share 0.1 --out lm.arpa

Inputs are manifests (.jsonl) or texts (one sentence a line). Where counts of counts allow no estimate of the discounts (a small or
a closed corpus), those of the order are 0.5, 1 and 1.5, and it is said. With kenlm installed, its perplexity is printed beside ours.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from ctcasr.data import read_manifest, split_dev
from ctcasr.text import Lexicon, NGram, TakenOut, make_tokenizer, train_ngram

Sentences = list[list[str]]


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
        help="leave out of every manifest what a recipe with this share and --dev-seed holds out, and measure on it",
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
    args = parser.parse_args(argv)

    tokenizer = make_tokenizer(args.text, digits=args.digits)
    taken_out = TakenOut()

    def written(texts: Sequence[str]) -> Sentences:
        sentences = [taken_out.add(tokenizer.reference(text)).split() for text in texts]
        return [sentence for sentence in sentences if sentence]

    train: Sentences = []
    held: Sentences = []
    for name in args.inputs:
        train_texts, held_texts = texts_of(Path(name), args.dev_share, args.dev_seed)
        train += written(train_texts)
        held += written(held_texts)
    if taken_out:
        print(taken_out)
    words = Lexicon.read(args.words, tokenizer).words if args.words else ()
    trained = train_ngram(train, args.order, words)
    path = trained.model.write(args.out)
    model = NGram.read(path)  # what others will read, rounding included
    print(
        f"{path}: order {model.order}, {len(model.words)} words, {len(model.grams)} n-grams from {len(train)} sentences"
    )
    for n, discount in enumerate(trained.discounts, start=1):
        how = (
            "fallback, counts of counts allow no estimate" if n in trained.fallback else "estimated"
        )
        print(f"  order {n}: discounts {' '.join(f'{d:.4f}' for d in discount)} ({how})")
    report("train", model, path, train)
    if held:
        report("held out", model, path, held)
    if args.test:
        report(Path(args.test).name, model, path, written(texts_of(Path(args.test))[0]))
    return 0


def texts_of(path: Path, dev_share: float = 0.0, dev_seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of a manifest or of a text file: those to train on, and those held out."""
    if path.suffix != ".jsonl":
        return path.read_text(encoding="utf-8").splitlines(), []
    utterances = read_manifest(path).utterances
    train, held = split_dev(utterances, dev_share, dev_seed) if dev_share else (utterances, ())
    return [u.text or "" for u in train], [u.text or "" for u in held]


def report(name: str, model: NGram, path: Path, sentences: Sentences) -> None:
    """Perplexity and unknown words, ours and (where it is installed) KenLM's."""
    unknown = sum(word not in model.words for s in sentences for word in s)
    line = f"  {name}: perplexity {model.perplexity(sentences):.4f} over {len(sentences)} sentences, {unknown} unknown words"
    try:
        import kenlm
    except ImportError:
        print(line)
        return
    peer = kenlm.Model(str(path))
    total = sum(peer.score(" ".join(s), bos=True, eos=True) for s in sentences)
    print(f"{line}; KenLM {math.pow(10.0, -total / sum(len(s) + 1 for s in sentences)):.4f}")


if __name__ == "__main__":
    sys.exit(main())
