"""A manifest whose texts are phones, for training a recogniser of phones.

python tools/study/phones.py MANIFEST.jsonl LEXICON --out PHONES.jsonl
python recipes/recognise.py --train PHONES.jsonl --out runs/phones
ctcasr score-enhanced ... --recogniser phones:LEXICON,runs/phones/best.pt

Phones are written by their names with spaces between (`b l uw`), so that the word error rate is the
phone error rate. Utterances with a word that the lexicon lacks are left out, and counted.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ctcasr.compare.judge import JudgeError
from ctcasr.compare.phone_judge import PhoneLexicon
from ctcasr.corpora._prepare import refuse_read
from ctcasr.data import read_manifest, write_manifest


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("lexicon", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    refuse_read([arguments.out], [arguments.manifest, arguments.lexicon])
    lexicon = PhoneLexicon.read(arguments.lexicon)
    spelled = []
    left_out = 0
    for utterance in read_manifest(arguments.manifest).utterances:
        try:
            spelled.append(replace(utterance, text=lexicon.spell(utterance.text or "")))
        except JudgeError:
            left_out += 1
    write_manifest(arguments.out, spelled)
    print(f"{arguments.out}: {len(spelled)} utterances, {left_out} left out")


if __name__ == "__main__":
    main()
