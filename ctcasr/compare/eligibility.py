"""May a recogniser judge these scenes, and what is to be known about its word?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.scene import Scene
from ctcasr.data.provenance import fingerprint_if_there
from ctcasr.text import references


def examine_judge(
    judge: Judge, scenes: Sequence[Scene], folders: Sequence[EnhancedFolder]
) -> list[str]:
    """Sentences about a judge: what it cannot write, known recordings and noises, enhancers for it.

    Raises:
        JudgeError: where it was trained on the very files that it shall judge.
    """
    remarks = [f"{judge.name}: {remark}" for remark in judge.remarks]
    texts, taken_out = references((scene.text for scene in scenes), judge.reference)
    if taken_out:
        remarks.append(f"{judge.name}: {taken_out}")
    wordless = sum(not text.split() for text in texts)
    if wordless:
        remarks.append(
            f"{judge.name}: {wordless} of {len(texts)} texts hold no word as it writes them; all "
            "that it hears in these scenes counts as insertions"
        )
    if judge.heard:
        for folder in folders:
            _refuse_trained_on(judge, folder)
        remarks.extend(_known_recordings(judge, scenes))
    for folder in folders:
        if judge.fingerprint in folder.listener.split():
            remarks.append(
                f"{folder.name}: was trained to please {judge.name}, which judges it here; take "
                "another recogniser's word"
            )
    return remarks


def refuse_wordless(judge: Judge, scenes: Sequence[Scene]) -> None:
    """ValueError where no text of the scenes that shall be scored has a word as it writes them."""
    texts, _ = references((scene.text for scene in scenes), judge.reference)
    if any(text.split() for text in texts):
        return
    first = scenes[0]
    raise ValueError(
        f"{judge.name}: expected scenes whose texts have words, as it writes them; none of the "
        f"{len(scenes)} to be scored has one (first {first.id}: {first.text!r}); correct `text` "
        "in the scene list, or take a recogniser of its language"
    )


def _refuse_trained_on(judge: Judge, folder: EnhancedFolder) -> None:
    files = dict.fromkeys(path for paths in folder.files.values() for path in paths)
    known = [path for path in files if fingerprint_if_there(path) in judge.heard]
    if known:
        raise JudgeError(
            f"{judge.name}: expected a recogniser that was never trained on enhanced speech; it "
            f"was trained on {known[0]} and {len(known) - 1} other files of {folder.name}"
        )


def _known_recordings(judge: Judge, scenes: Sequence[Scene]) -> Iterator[str]:
    known_scenes = 0
    known_noises = 0
    for scene in scenes:
        known_scenes += any(mark in judge.heard for mark in fingerprints(scene))
        unseen = scene.noisy.extra.get("seen") is False
        known_noises += unseen and scene.noisy.extra.get("interferer_fingerprint") in judge.heard
    if known_scenes:
        yield (
            f"{judge.name}: was trained on the recordings of {known_scenes} of these {len(scenes)} "
            "scenes; its error rates here are no measure of how well it hears others"
        )
    if known_noises:
        yield (
            f"{judge.name}: was trained with the very interferers of {known_noises} scenes that "
            "are called unseen"
        )


def fingerprints(scene: Scene) -> list[str]:
    """Those of the files of a scene that are there, and of the speech that it was made of."""
    marks = []
    for path in (scene.noisy.audio_filepath, scene.clean):
        mark = None if path is None else fingerprint_if_there(path)
        if mark is not None:
            marks.append(mark)
    made_of = scene.noisy.extra.get("speech_fingerprint")
    if isinstance(made_of, str):
        marks.append(made_of)
    return marks
