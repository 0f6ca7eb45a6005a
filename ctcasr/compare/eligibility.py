"""May a recogniser judge these scenes, and what is to be known about its word?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.scene import Scene
from ctcasr.data.provenance import fingerprint
from ctcasr.text import references


def examine_judge(
    judge: Judge, scenes: Sequence[Scene], folders: Sequence[EnhancedFolder]
) -> list[str]:
    """Sentences about a judge: what it cannot write, known recordings and noises, enhancers for it.

    Raises:
        JudgeError: where it was trained on the very files that it shall judge.
    """
    remarks = [f"{judge.name}: {remark}" for remark in judge.remarks]
    _, taken_out = references((scene.text for scene in scenes), judge.reference)
    if taken_out:
        remarks.append(f"{judge.name}: {taken_out}")
    if judge.heard:
        for folder in folders:
            _refuse_trained_on(judge, folder)
        remarks.extend(_known_recordings(judge, scenes))
    for folder in folders:
        if judge.fingerprint and folder.listener == judge.fingerprint:
            remarks.append(
                f"{folder.name}: was trained to please {judge.name}, which judges it here; take "
                "another recogniser's word"
            )
    return remarks


def _refuse_trained_on(judge: Judge, folder: EnhancedFolder) -> None:
    files = dict.fromkeys(path for paths in folder.files.values() for path in paths)
    known = [path for path in files if fingerprint(path) in judge.heard]
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
        if path is not None and path.is_file():
            marks.append(fingerprint(path))
    made_of = scene.noisy.extra.get("speech_fingerprint")
    if isinstance(made_of, str):
        marks.append(made_of)
    return marks
