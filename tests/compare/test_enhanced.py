"""Enhanced files are found by their names, by a pattern or by a list; strangers are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.commands.score_enhanced import remarks_on
from ctcasr.compare import enhanced as files
from ctcasr.compare.enhanced import EnhancedFolder, open_all, own_names
from ctcasr.compare.scene import read_scenes, read_sound, scene_of
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer

Make = Callable[..., Path]


def renamed(folder: Path, change: Callable[[str], str]) -> Path:
    for path in sorted(folder.glob("*.wav")):
        path.rename(path.with_name(change(path.stem) + ".wav"))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda stem: stem,
        lambda stem: stem.removesuffix("_mixed"),
        lambda stem: f"{stem}_enhanced",
        lambda stem: f"{stem.removesuffix('_mixed')}_enhanced",
    ],
)
def test_usual_names_are_found(world: Make, enhanced: Make, change: Callable[[str], str]) -> None:
    scenes, _ = read_scenes(path := world(3))
    folder = EnhancedFolder.open(renamed(enhanced(path), change))
    assert all(len(folder.find(scene)) == 1 for scene in scenes)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda stem: f"{stem}_DeepFilterNet3", "{id}_DeepFilterNet3.wav"),
        (lambda stem: f"enh_{stem}", "enh_{id}.wav"),
        (lambda stem: f"{stem}_enh", "{id}_enh"),
    ],
)
def test_other_names_want_a_pattern_which_the_error_names(
    world: Make, enhanced: Make, tmp_path: Path, change: Callable[[str], str], pattern: str
) -> None:
    scenes, _ = read_scenes(path := world(3))
    folder = str(renamed(enhanced(path), change))
    with pytest.raises(ValueError, match="expected files with the names") as stop:
        open_all([folder], scenes, tmp_path)
    assert f"--pattern '{pattern.removesuffix('.wav')}.wav' would find them" in str(stop.value)
    (found,) = open_all([folder], scenes, tmp_path, pattern)
    assert all(len(found.find(scene)) == 1 for scene in scenes)
    with pytest.raises(ValueError, match=r"--pattern: expected \{id\} in it"):
        open_all([folder], scenes, tmp_path, "enh.wav")


def test_a_list_of_files_is_a_folder_too(world: Make, enhanced: Make, tmp_path: Path) -> None:
    scenes, _ = read_scenes(path := world(3))
    folder = enhanced(path)
    lines = [f"{scene.id} {folder.name}/{scene.id}.wav\n" for scene in scenes]
    (tmp_path / "spk1.scp").write_text("".join(lines), encoding="utf-8")
    (found,) = open_all([f"x={tmp_path / 'spk1.scp'}"], scenes, tmp_path)
    assert found.name == "x"
    assert all(found.read(scene, read_sound(scene)).status == "ok" for scene in scenes)
    (tmp_path / "spk1.scp").write_text("S000_mixed\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"spk1\.scp:1: expected a name and a path"):
        open_all([str(tmp_path / "spk1.scp")], scenes, tmp_path)


def test_equal_names_get_more_of_their_paths(world: Make, enhanced: Make, tmp_path: Path) -> None:
    scenes, _ = read_scenes(path := world(2))
    for name in ("a/out", "b/out"):
        (tmp_path / name).parent.mkdir()
        enhanced(path, name=name)
    folders = open_all([str(tmp_path / "a/out"), str(tmp_path / "b/out")], scenes, tmp_path)
    assert [folder.name for folder in folders] == ["a/out", "b/out"]
    assert own_names([Path("out"), Path("out")]) == ["out", "out"]
    with pytest.raises(ValueError, match="noisy twice"):
        open_all([f"noisy={tmp_path / 'a/out'}"], scenes, tmp_path)


@pytest.mark.parametrize("ending", ["_mixed", "_enhanced", ""])
def test_scenes_of_equal_names_are_found_in_folders_like_theirs(
    tmp_path: Path, ending: str
) -> None:
    utterances = [
        Utterance(Path(f"noisy/{speaker}/001_mixed.wav"), text="one", name=f"{speaker}/001_mixed")
        for speaker in ("p1", "p2")
    ]
    first, second = [scene_of(utterance) for utterance in utterances]
    folder = tmp_path / "out" / "p1"
    folder.mkdir(parents=True)
    soundfile.write(folder / f"001{ending}.wav", np.zeros(80), 8000)
    found = EnhancedFolder.open(tmp_path / "out")
    assert list(found.find(first)) == [folder / f"001{ending}.wav"]
    assert not found.find(second)  # the other one's file is no substitute
    with_pattern = EnhancedFolder.open(tmp_path / "out", pattern=f"{{id}}{ending}.wav")
    assert bool(with_pattern.find(first)) and not with_pattern.find(second)


def test_a_wrong_file_is_an_oddity(world: Make, enhanced: Make) -> None:
    scenes, _ = read_scenes(path := world(1))
    rng = np.random.default_rng(7)
    folder = EnhancedFolder.open(
        enhanced(path, "mixed", lambda x: rng.normal(0, 0.1, len(x)).astype(np.float32))
    )
    read = folder.read(scenes[0], read_sound(scenes[0]))
    assert any("unlike its scene" in oddity for oddity in read.oddities)


def test_links_to_nowhere_folders_and_bytes_are_each_lost_alone(
    world: Make, enhanced: Make
) -> None:
    scenes, _ = read_scenes(path := world(5))
    place = enhanced(path)
    link, folder, empty, foreign, whole = sorted(place.glob("*.wav"))
    for file in (link, folder):
        file.unlink()
    link.symlink_to("/nowhere")
    folder.mkdir()
    empty.write_bytes(b"")
    foreign.write_bytes(bytes(range(256)))
    opened = EnhancedFolder.open(place)
    found = [opened.read(scene, read_sound(scene)) for scene in scenes]
    statuses = ["missing", "missing", "unreadable", "unreadable", "ok"]
    assert [one.status for one in found] == statuses
    assert f"{link}: expected a sound file; found a link to /nowhere" in found[0].reason
    assert all(one.reason for one in found[:4]) and found[4].path == whole


@pytest.mark.parametrize("stale", ["gone.wav", "x" * 5000, "a\0b.wav", "."])
def test_stale_lines_of_a_list_are_lost_alone(
    world: Make, enhanced: Make, tmp_path: Path, stale: str
) -> None:
    scenes, _ = read_scenes(path := world(2))
    place = enhanced(path)
    lines = f"{scenes[0].id} {stale}\n{scenes[1].id} {place.name}/{scenes[1].id}.wav\n"
    (tmp_path / "spk1.scp").write_text(lines, encoding="utf-8")
    (opened,) = open_all([str(tmp_path / "spk1.scp")], scenes, tmp_path)
    lost, heard = [opened.read(scene, read_sound(scene)) for scene in scenes]
    assert lost.status in ("missing", "unreadable") and stale in lost.reason
    assert heard.status == "ok"


def test_a_disk_that_fails_loses_one_file(
    world: Make, enhanced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes, _ = read_scenes(path := world(1))
    sound = read_sound(scenes[0])
    opened = EnhancedFolder.open(enhanced(path))

    def failing(path: Path, rate_hz: int) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(files, "read_audio", failing)
    found = opened.read(scenes[0], sound)
    assert found.status == "unreadable" and "Input/output error" in found.reason


def test_an_enhancer_that_should_have_seen_and_did_not_is_told(world: Make, tmp_path: Path) -> None:
    spec = read_enhancer("av_mask av_mask.mask.hidden=8")
    payload = Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {})
    path = checkpoint.save(tmp_path / "seeing.pt", payload)
    scenes, _ = read_scenes(world(2))
    (folder,) = open_all([f"seeing={path}"], scenes, tmp_path / "out")
    assert folder.unseen.startswith("2 of 2 without a video that could be read")
    (remark,) = [one for one in remarks_on([], scenes, [folder]) if "video" in one]
    assert remark == f"seeing: enhanced {folder.unseen}"
