"""Files in, enhanced files out, signed; nothing is written twice, nothing left out unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.batch import Skip, Utterance
from ctcasr.cli import main
from ctcasr.data import read_manifest
from ctcasr.data.sidecar import enhanced_by
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.files import Job, Jobs, enhance_files, is_sound, named, plan_tree
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer


def sound(path: Path, rate_hz: int = 16000, count: int = 4001, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = 0.1 * np.random.default_rng(0).standard_normal((count, channels))
    soundfile.write(path, data, rate_hz)
    return path


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_rate_and_length_are_kept(saved: Path, tmp_path: Path, rate_hz: int) -> None:
    path = sound(tmp_path / "in.wav", rate_hz, 5003, channels=2)
    assert main(["enhance", str(saved), str(path), str(tmp_path / "out.wav")]) == 0
    found = soundfile.info(tmp_path / "out.wav")
    assert (found.samplerate, found.frames, found.channels) == (rate_hz, 5003, 1)


def test_a_folder_keeps_its_shape_and_is_signed(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    sound(source / "a.wav")
    sound(source / "deep" / "b.flac")
    (source / "bad.wav").write_bytes(b"nothing")
    assert main(["enhance", str(saved), str(source), str(out)]) == 1
    told = capsys.readouterr()
    assert "2 files enhanced, 1 could not be read" in told.out and "bad.wav" in told.err
    assert soundfile.info(out / "deep" / "b.flac").frames == 4001
    for written in ("a.wav", "deep/b.flac"):
        signed = enhanced_by(out / written)
        assert signed is not None and len(signed["fingerprint"]) == 16
        assert (signed["checkpoint"], signed["network"]) == ("best.pt", "mask")
    assert enhanced_by(out / "another.wav") is None


def test_utterances_go_by_their_ids(saved: Path, tmp_path: Path) -> None:
    path = sound(tmp_path / "long.wav")
    lines = [Utterance(path), Utterance(path, 0.1, offset=0.05), Utterance(tmp_path / "gone.wav")]
    done = enhance_files(saved, lines, tmp_path / "out")
    assert [one.name for one in done if isinstance(one, Path)] == ["long.wav", "long@0.05.wav"]
    assert isinstance(done[2], Skip)
    assert soundfile.info(tmp_path / "out" / "long@0.05.wav").frames == 1600


def test_originals_are_never_replaced(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sound(tmp_path / "in" / "a.wav")
    before = path.read_bytes()
    assert main(["enhance", str(saved), str(path), str(path)]) == 1
    assert main(["enhance", str(saved), str(path.parent), str(path.parent)]) == 1
    assert path.read_bytes() == before and "never replace" in capsys.readouterr().err


def test_recordings_are_not_written_over_and_own_files_are(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "noisy", tmp_path / "out"
    sound(source / "a.wav")
    for _ in range(2):
        assert main(["enhance", str(saved), str(source), str(out)]) == 0
    before = (source / "a.wav").read_bytes()
    assert main(["enhance", str(saved), str(out), str(source)]) == 1  # swapped
    assert (source / "a.wav").read_bytes() == before
    assert "this may be a recording" in capsys.readouterr().err


def test_two_files_for_one_place_are_refused_before_anything_is_written(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    sound(source / "a.wav")
    sound(source / "a.ogg")
    assert main(["enhance", str(saved), str(source), str(out)]) == 1
    told = capsys.readouterr().err
    assert "a.wav" in told and "a.ogg" in told and "would both be written there" in told
    assert not out.exists()


def test_all_that_libsndfile_reads_is_enhanced_and_the_rest_is_named(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.mp3", "b.aiff", "c.ogg", "d.flac", "e.wav", "f.WAV"):
        sound(source / name)
    sound(source / "g.wav").rename(source / "g.sound")  # known by its content
    (source / "notes.txt").write_text("no sound", encoding="utf-8")
    assert main(["enhance", str(saved), str(source), str(out)]) == 0
    told = capsys.readouterr().out
    assert "7 files enhanced" in told and "1 ignored" in told and "notes.txt" in told
    names = {path.name for path in out.iterdir()} - {"enhanced_by.json"}
    assert names == {"a.wav", "b.wav", "c.wav", "d.flac", "e.wav", "f.WAV", "g.wav"}


def test_enhancing_into_a_folder_inside_does_not_enhance_twice(saved: Path, tmp_path: Path) -> None:
    sound(tmp_path / "in" / "a.wav")
    out = tmp_path / "in" / "enhanced"
    for _ in range(2):
        assert main(["enhance", str(saved), str(tmp_path / "in"), str(out)]) == 0
    assert sorted(p.name for p in out.rglob("*")) == ["a.wav", "enhanced_by.json"]


def test_an_out_that_would_lose_sound_is_refused(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sound(tmp_path / "in.mp3")
    assert main(["enhance", str(saved), str(path), str(tmp_path / "out.mp3")]) == 1
    assert "expected OUT as .wav or .flac" in capsys.readouterr().err
    assert [p.name for p in tmp_path.glob("out*")] == []


def test_utterances_of_one_id_are_refused(saved: Path, tmp_path: Path) -> None:
    lines = [
        Utterance(sound(tmp_path / speaker / "002.wav"), where=f"m.jsonl:{line}")
        for line, speaker in enumerate(("anna", "bert"))
    ]
    with pytest.raises(ValueError, match=r"m\.jsonl:0 and m\.jsonl:1 would both"):
        enhance_files(saved, lines, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_manifest_tells_apart_becomes_two_files(saved: Path, tmp_path: Path) -> None:
    for speaker in ("anna", "bert"):
        sound(tmp_path / speaker / "002.wav")
    lines = [json.dumps({"audio_filepath": f"{speaker}/002.wav"}) for speaker in ("anna", "bert")]
    (tmp_path / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = enhance_files(saved, read_manifest(tmp_path / "m.jsonl").utterances, tmp_path / "out")
    assert len({path for path in done if isinstance(path, Path)}) == 2
    assert all(path.is_file() for path in done if isinstance(path, Path))


def test_no_target_is_a_source(tmp_path: Path) -> None:
    one, two = tmp_path / "a.ogg", tmp_path / "a.wav"
    with pytest.raises(ValueError, match="never replace"):
        Jobs([Job(Utterance(one), two), Job(Utterance(two), tmp_path / "b.wav")])


def test_a_folder_without_sound_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing", encoding="utf-8")
    assert not is_sound(tmp_path / "readme.txt")
    with pytest.raises(ValueError, match=r"the folder has none, only readme.txt"):
        plan_tree(tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="there is nothing"):
        plan_tree(tmp_path / "none", tmp_path / "out")


def test_many_names_are_cut_short() -> None:
    assert named([Path(name) for name in "abcdefg"]) == "a, b, c, d, e and 2 more"


def test_an_out_without_an_ending_is_a_folder(tmp_path: Path) -> None:
    path = sound(tmp_path / "in.mp3")
    (job,) = plan_tree(path, tmp_path / "out").jobs
    assert job.target == tmp_path / "out" / "in.wav"
    (job,) = plan_tree(path, tmp_path / "named.flac").jobs
    assert job.target == tmp_path / "named.flac"


def test_videos_are_found_at_the_place_of_the_sound_first(tmp_path: Path) -> None:
    films = tmp_path / "films"
    for name in ("s1/x.mp4", "x.mp4", "y.mp4"):
        (films / name).parent.mkdir(parents=True, exist_ok=True)
        (films / name).write_bytes(b"film")
    for name in ("s1/x.flac", "s2/x.flac", "s2/y.flac", "s2/z.flac"):
        sound(tmp_path / "in" / name)
    plan = plan_tree(tmp_path / "in", tmp_path / "out", films)
    found = [job.utterance.video_filepath for job in plan.jobs]
    assert found == [films / "s1/x.mp4", films / "x.mp4", films / "y.mp4", None]
    (job,) = plan_tree(tmp_path / "in/s1/x.flac", tmp_path / "out", films).jobs
    assert job.utterance.video_filepath == films / "x.mp4"
    with pytest.raises(ValueError, match="expected a video or a folder of videos"):
        plan_tree(tmp_path / "in", tmp_path / "out", tmp_path / "none.mp4")


def test_one_who_learnt_with_the_lips_of_others_is_shown_them(tmp_path: Path) -> None:
    spec = read_enhancer("av_mask av_mask.mask.hidden=8").with_video("shuffled")
    torch.manual_seed(0)
    payload = Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {})
    path = checkpoint.save(tmp_path / "best.pt", payload)
    lines = []
    for name in "ab":
        film = tmp_path / f"{name}.mp4"  # which nobody can read: it is told, and nothing is shown
        film.write_bytes(b"no film")
        lines.append(Utterance(sound(tmp_path / f"{name}.wav"), video_filepath=film))
    with pytest.warns(UserWarning, match=r"2 of 2 without a video .*\.mp4"):
        written = enhance_files(path, lines, tmp_path / "out")
    assert [Path(str(one)).name for one in written] == ["a.wav", "b.wav"]
