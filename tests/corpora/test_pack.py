"""Packing: the same samples from few files, and nothing half done."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.cli import main
from ctcasr.data import Corpus, Loader, read_audio, read_manifest
from ctcasr.data.provenance import fingerprint, provenance_of


@pytest.fixture
def pack() -> ModuleType:
    return importlib.import_module("ctcasr.corpora.pack")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten files of all kinds (WAV, FLAC, stereo, OGG), one of them used twice, by offset."""
    random, lines = np.random.default_rng(0), []
    for index in range(10):
        suffix, channels = ("wav", "flac", "ogg")[index % 3], 1 + (index == 4)
        path = tmp_path / f"in/u{index}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        loudest = 9000 if suffix == "ogg" else 32767
        soundfile.write(
            path,
            random.integers(-loudest, loudest, (3000 + 170 * index, channels), dtype=np.int16),
            16000,
        )
        duration = (3000 + 170 * index) / 16000
        lines.append(
            {
                "audio_filepath": path.name,
                "duration": duration,
                "text": f"word {index}",
                "speaker": "s",
                "note": index,
            }
        )
    lines.append({"audio_filepath": "u9.wav", "duration": 0.1, "offset": 0.05, "text": "part"})
    (tmp_path / "in/train.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    return tmp_path / "in/train.jsonl"


def run(pack: ModuleType, *arguments: object) -> int:
    return main(["prepare", "pack", *(str(argument) for argument in arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    "gigabytes", [1.0, 2e-5, 5.0]
)  # one file; a new one every 10,000 samples; RF64
def test_every_sample_and_every_word_of_the_line_stays(
    pack: ModuleType, corpus: Path, tmp_path: Path, gigabytes: float
) -> None:
    before = contents(corpus.parent)
    assert run(pack, corpus, "--out", tmp_path / "out", "--gigabytes", gigabytes) == 0
    assert contents(corpus.parent) == before  # the originals are as they were
    for old, new in zip(
        read_manifest(corpus), read_manifest(tmp_path / "out/train.jsonl"), strict=True
    ):
        kept = read_audio(new, 16000)
        wanted = (read_audio(old, 16000) * 32768).round().clamp(-32768, 32767) / 32768
        assert torch.equal(
            kept, wanted
        )  # OGG and the mean of channels to 16 bits, the others as they were
        assert (new.text, new.speaker, new.extra.get("note")) == (
            old.text,
            old.speaker,
            old.extra.get("note"),
        )
        assert (
            Path(new.extra["source_filepath"]).samefile(old.audio_filepath)
            and new.extra.get("source_offset", 0.0) == old.offset
        )
    files = sorted((tmp_path / "out").glob("*.wav"))
    assert len(files) == (5 if gigabytes < 0.1 else 1)
    assert {soundfile.info(path).format for path in files} == {"RF64" if gigabytes > 4 else "WAV"}
    assert {soundfile.info(path).subtype for path in files} == {"PCM_16"}


def test_batches_of_the_packed_corpus_are_those_of_the_files(
    pack: ModuleType, corpus: Path, tmp_path: Path
) -> None:
    run(pack, corpus, "--out", tmp_path / "out")
    loaders = [
        Loader(Corpus(read_manifest(path).utterances, None, 16000), batch_size=4)
        for path in (corpus, tmp_path / "out/train.jsonl")
    ]
    for old, new in zip(*(loader.epoch(1) for loader in loaders), strict=True):
        assert (
            old is not None
            and new is not None
            and old.seeds == new.seeds
            and old.audio.lengths == new.audio.lengths
        )
        torch.testing.assert_close(old.audio.data, new.audio.data, rtol=0, atol=0.6 / 32768)


def test_a_slice_is_read_without_the_rest(
    pack: ModuleType, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(pack, corpus, "--out", tmp_path / "out")
    last = read_manifest(tmp_path / "out/train.jsonl").utterances[-1]
    decoded: list[int] = []
    monkeypatch.setattr(
        np,
        "frombuffer",
        lambda data, dtype, whole=np.frombuffer: decoded.append(len(data)) or whole(data, dtype),
    )
    assert len(read_audio(last, 16000)) == 1600 and decoded == [3200]


def test_the_same_again_does_nothing_and_another_is_refused(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(pack, corpus, "--out", out) == 0
    first, times = contents(out), {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(pack, corpus, "--out", out) == 0
    assert "nothing was done" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times
    assert (
        run(pack, corpus, "--out", out, "--rate-hz", 8000) == 1
        and "another pack" in capsys.readouterr().err
    )
    assert contents(out) == first
    assert (
        run(pack, corpus, "--out", corpus.parent) == 1
        and "something else" in capsys.readouterr().err
    )
    assert run(pack, corpus, "--out", tmp_path / "twin") == 0
    assert all(
        (tmp_path / "twin" / name).read_bytes() == data
        for name, data in first.items()
        if name.endswith(".wav")
    )


def test_a_run_that_was_killed_before_its_manifest_is_repeated(
    pack: ModuleType, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(pack, corpus, "--out", out)
    whole = contents(out)
    (out / "train.jsonl").unlink()
    assert run(pack, corpus, "--out", out) == 0 and contents(out) == whole


def test_a_run_that_was_broken_off_leaves_no_manifest_and_can_be_repeated(
    pack: ModuleType, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pack.read_audio

    def breaks(utterance, rate_hz):  # type: ignore[no-untyped-def]
        if utterance.text == "word 7":
            raise KeyboardInterrupt
        return whole(utterance, rate_hz)

    monkeypatch.setattr(pack, "read_audio", breaks)
    assert run(pack, corpus, "--out", tmp_path / "out", "--gigabytes", 2e-5) == 130
    assert not list((tmp_path / "out").glob("*.jsonl"))
    monkeypatch.setattr(pack, "read_audio", whole)
    assert run(pack, corpus, "--out", tmp_path / "out") == 0
    assert (
        len(list((tmp_path / "out").glob("*pack-*.wav*"))) == 1
        and len(read_manifest(tmp_path / "out/train.jsonl")) == 11
    )


def test_unreadable_files_are_counted_and_named(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus.parent / "u1.flac").write_bytes(b"no sound")
    (corpus.parent / "u3.wav").write_bytes((corpus.parent / "u3.wav").read_bytes()[:2000])
    assert run(pack, corpus, "--out", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert (
        "left out: 2 that cannot be read" in told
        and "train.jsonl:2: " in told
        and "u3.wav" in told
        and "9 utterances" in told
    )
    assert len(read_manifest(tmp_path / "out/train.jsonl")) == 9
    for path in corpus.parent.glob("u*.*"):
        path.unlink()
    assert (
        run(pack, corpus, "--out", tmp_path / "none") == 1
        and "no file that can be read" in capsys.readouterr().err
    )


def test_rates_are_kept_apart_or_brought_to_one(
    pack: ModuleType, corpus: Path, tmp_path: Path
) -> None:
    soundfile.write(
        corpus.parent / "u2.ogg", np.zeros(4000, np.int16), 8000, format="WAV", subtype="PCM_16"
    )
    run(pack, corpus, "--out", tmp_path / "both")
    assert sorted(
        soundfile.info(path).samplerate for path in (tmp_path / "both").glob("*.wav")
    ) == [8000, 16000]
    run(pack, corpus, "--out", tmp_path / "one", "--rate-hz", 8000)
    assert [soundfile.info(path).samplerate for path in (tmp_path / "one").glob("*.wav")] == [8000]
    for old, new in zip(
        read_manifest(corpus), read_manifest(tmp_path / "one/train.jsonl"), strict=True
    ):
        torch.testing.assert_close(
            read_audio(new, 8000), read_audio(old, 8000).clamp(-1, 1), rtol=0, atol=1.1 / 32768
        )


def test_what_would_lose_its_time_is_refused_or_left_out(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    corpus.write_text(
        "".join(json.dumps({**line, "video_filepath": "v.mp4"}) + "\n" for line in lines),
        encoding="utf-8",
    )
    assert (
        run(pack, corpus, "--out", tmp_path / "out") == 0
        and "videos: those of 11 lines" in capsys.readouterr().out
    )
    assert all(u.video_filepath is None for u in read_manifest(tmp_path / "out/train.jsonl"))
    corpus.write_text(
        "".join(json.dumps({**line, "target_filepath": "u0.wav"}) + "\n" for line in lines),
        encoding="utf-8",
    )
    assert (
        run(pack, corpus, "--out", tmp_path / "scenes") == 1
        and "11 lines are scenes" in capsys.readouterr().err
    )


def test_what_a_model_has_heard_is_known_by_its_originals(
    pack: ModuleType, corpus: Path, tmp_path: Path
) -> None:
    run(pack, corpus, "--out", tmp_path / "out")
    assert (
        fingerprint(corpus.parent / "u3.wav")
        in provenance_of(read_manifest(tmp_path / "out/train.jsonl").utterances)["files"]
    )


def test_the_measurement_tells_both_speeds(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pack, corpus, "--out", tmp_path / "out", "--measure") == 0
    told = capsys.readouterr().out
    assert (
        "before: " in told
        and "after: " in told
        and "ratio: " in told
        and "second of one core" in told
    )


@pytest.mark.parametrize(
    "words",
    [
        "--gigabytes nan",
        "--gigabytes inf",
        "--gigabytes 0",
        "--gigabytes=-1",
        "--gigabytes 1e300",
        "--rate-hz 0",
        "--rate-hz=-8000",
        "--workers=-1",
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_their_flag(
    pack: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    with pytest.raises(SystemExit) as end:
        run(pack, tmp_path / "none.jsonl", "--out", tmp_path / "out", *words.split())
    assert end.value.code == 2 and not (tmp_path / "out").exists()
    told = capsys.readouterr().err
    assert f"argument {words.replace('=', ' ').split()[0]}: expected" in told


def test_a_file_is_no_folder_for_packs(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("stays")
    for out in (tmp_path / "file", tmp_path / "file/below"):
        assert run(pack, corpus, "--out", out) == 1
        assert "expected a folder to write to (--out)" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "stays"


@pytest.mark.parametrize("name", ["pack-0000.wav", "packages.wav"])
def test_recordings_that_are_called_as_packs_stay(
    pack: ModuleType, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "wavs" / name
    recording.parent.mkdir()
    soundfile.write(recording, np.zeros(4000, np.int16), 8000)
    before = recording.read_bytes()
    line = {"audio_filepath": f"wavs/{name}", "text": "word"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line), encoding="utf-8")
    assert run(pack, tmp_path / "m.jsonl", "--out", recording.parent) == 1
    assert "expected" in capsys.readouterr().err
    assert contents(recording.parent) == {name: before}


def test_a_manifest_with_the_name_of_the_notes_is_refused(
    pack: ModuleType, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would replace them: the next call took the pack for one that is not whole."""
    named = corpus.rename(corpus.with_name("pack.json"))
    assert run(pack, named, "--out", tmp_path / "packed") == 1
    assert "rename the file" in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()
