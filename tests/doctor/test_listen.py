"""One file, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest
from ctcasr.doctor.listen import Sound, flat_share, listen
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import read_spec

Make = Callable[..., Any]


def heard(path: Path, model: SpeechModel, whole: bool = True, **line: Any) -> Sound:
    utterance = Utterance(path, **line)
    (sound,) = listen([utterance], model, {0} if whole else set(), 1)
    return sound


def test_header_and_decoding_agree_on_the_length(
    tmp_path: Path, model: SpeechModel, make_babble: Make
) -> None:
    soundfile.write(tmp_path / "a.wav", make_babble(1.23, 0), 16000)
    whole = heard(tmp_path / "a.wav", model)
    header = heard(tmp_path / "a.wav", model, whole=False)
    assert whole.samples == header.samples == round(1.23 * 16000)
    assert whole.signal is not None and header.signal is None and not whole.trouble
    part = heard(tmp_path / "a.wav", model, whole=False, offset=0.5, duration=0.25)
    assert part.samples == heard(tmp_path / "a.wav", model, offset=0.5, duration=0.25).samples


def test_the_same_sound_has_the_same_digest_whatever_its_name(
    tmp_path: Path, model: SpeechModel, make_babble: Make
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        soundfile.write(tmp_path / f"{name}.wav", make_babble(1.0, seed), 16000)
    digests = []
    for name in "abc":
        signal = heard(tmp_path / f"{name}.wav", model).signal
        assert signal is not None and signal.changing is not None and signal.changing.any()
        digests.append(signal.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("slug", "content"), [("missing-file", None), ("empty-file", b""), ("unreadable-file", b"no")]
)
def test_files_that_cannot_be_used(
    slug: str, content: bytes | None, tmp_path: Path, model: SpeechModel
) -> None:
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    for whole in (False, True):
        sound = heard(tmp_path / "a.wav", model, whole)
        assert sound.trouble == slug and sound.reason and sound.signal is None


def test_a_line_beyond_its_file_is_told_before_anything_else(
    tmp_path: Path, model: SpeechModel, make_babble: Make
) -> None:
    soundfile.write(tmp_path / "a.wav", make_babble(1.0, 0), 16000)
    for whole in (False, True):
        sound = heard(tmp_path / "a.wav", model, whole, duration=2.0)
        assert sound.trouble == "duration-beyond-file" and "lasts 1.000 s" in sound.reason


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "a\0b.wav"])
def test_a_name_that_no_file_can_have_is_a_missing_file(name: str, model: SpeechModel) -> None:
    assert heard(Path(name), model).trouble == "missing-file"


def test_a_line_of_no_duration_is_told_as_that(
    tmp_path: Path, model: SpeechModel, make_babble: Make
) -> None:
    soundfile.write(tmp_path / "a.wav", make_babble(1.0, 0), 16000)
    for whole in (False, True):
        assert heard(tmp_path / "a.wav", model, whole, duration=0.0).trouble == "no-duration"


def test_flat_tops_are_runs_at_the_peak_on_one_side() -> None:
    sine = np.sin(np.arange(4000) / 20)
    assert flat_share(sine, 1.0) == 0.0
    assert flat_share(np.clip(3 * sine, -1, 1), 1.0) > 0.7
    assert flat_share(np.array([1.0, -1.0] * 50), 1.0) == 0.0
    assert flat_share(0.01 * np.ones(9), 0.01) == 0.0  # too quiet to tell


def test_a_lip_reader_counts_frames_of_video_and_misses_absent_ones(data_root: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
    lips = build(read_spec("lips hidden=8 layers=1"), 38)
    (line,) = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:1]
    blind = replace(line, video_filepath=None)
    seen, unseen = listen([line, blind], lips, {0, 1}, 1)
    assert seen.samples == 75 and not seen.trouble and seen.signal is not None
    assert unseen.trouble == "no-video" and "video" in unseen.reason
    deaf = replace(line, audio_filepath=line.audio_filepath.with_name("none.wav"))
    for whole in ({0, 1}, set[int]()):
        by_sound, by_pictures = listen([line, deaf], lips, whole, 1)
        assert by_sound.samples == by_pictures.samples == 75
        assert not by_pictures.trouble and "none.wav" in by_pictures.unheard
