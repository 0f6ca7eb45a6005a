"""Published enhancers' outputs on VoiceBank-DEMAND as scenes and lists of files.

python tools/study/voicebank_scenes.py $CTCASR_DATA/voicebank_enhanced --out voicebank

writes OUT/SCENES.jsonl, with the noisy and clean file and the text of each utterance, OUT/noisy (a
copy of the noisy files by the scenes' names, for other enhancers), and OUT/NAME.scp for each
enhancer: `ctcasr score-enhanced OUT/SCENES.jsonl --enhanced NAME=OUT/NAME.scp ...`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Files = dict[str, dict[str, Line]]  # scene -> condition -> line

NOISY = "noisy"
CLEAN = "clean"


def main() -> None:
    """Write the scenes and the lists."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with test.jsonl and valid.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    files: Files = {}
    for line in lines_of(arguments.corpus):
        scene = f"{line['source']}-{line['utterance']}"
        files.setdefault(scene, {})[line["condition"]] = line
    corpus = arguments.corpus.resolve()
    write_scenes(arguments.out, corpus, files)
    write_lists(arguments.out, corpus, files)


def lines_of(corpus: Path) -> Iterator[Line]:
    """The lines of both manifests."""
    for name in ("test.jsonl", "valid.jsonl"):
        for line in (corpus / name).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def write_scenes(out: Path, corpus: Path, files: Files) -> None:
    """SCENES.jsonl, and the noisy files by the scenes' names."""
    (out / NOISY).mkdir(parents=True, exist_ok=True)
    scenes = []
    for scene, by_condition in files.items():
        noisy = by_condition[NOISY]
        clean = by_condition[CLEAN]
        path = corpus / noisy["audio_filepath"]
        place = out / NOISY / f"{scene}{path.suffix}"
        shutil.copyfile(path, place)
        line = {
            "id": scene,
            "audio_filepath": str(place.relative_to(out)),
            "target_filepath": str(corpus / clean["audio_filepath"]),
            "text": noisy["text"],
            "speaker": noisy["speaker"],
            "source": noisy["utterance"],
        }
        scenes.append(json.dumps(line))
    (out / "SCENES.jsonl").write_text("\n".join(scenes) + "\n", encoding="utf-8")
    print(f"{out / 'SCENES.jsonl'}: {len(scenes)} scenes")


def write_lists(out: Path, corpus: Path, files: Files) -> None:
    """NAME.scp with the files of each enhancer."""
    lists: dict[str, list[str]] = {}
    for scene, by_condition in files.items():
        for condition, line in by_condition.items():
            if condition not in (NOISY, CLEAN):
                path = corpus / line["audio_filepath"]
                lists.setdefault(condition, []).append(f"{scene} {path}")
    for name, entries in lists.items():
        (out / f"{name}.scp").write_text("\n".join(entries) + "\n", encoding="utf-8")
        print(f"{out / name}.scp: {len(entries)} files")


if __name__ == "__main__":
    main()
