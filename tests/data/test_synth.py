"""Synthetic speech: reproducible samples, voices that differ, a corpus that keeps its promises."""

from __future__ import annotations

import hashlib
import json
import string
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr.data import espeak, synth

pytest.importorskip("espeakng_loader", reason="synthetic speech needs the extra synth")

SMALL = synth.SynthSettings(train=12, test=4)
PRINT_DIGEST = """
import hashlib
from ctcasr.data import synth
said = b"".join(synth.say(i, 3).samples.numpy().tobytes() for i in range(4))
print(hashlib.sha256(said).hexdigest())
"""


def digest(waves: Iterable[Tensor]) -> str:
    return hashlib.sha256(b"".join(wave.numpy().tobytes() for wave in waves)).hexdigest()


@pytest.mark.parametrize("voice", ["en-us", "en-029+f3", "en-gb-scotland+david"])
def test_samples_do_not_depend_on_what_was_said_before(voice: str) -> None:
    alone, rate_hz = espeak.speak("four blue boxes", voice)
    for other in ("en+m7", "en-us+f2"):
        espeak.speak("something else entirely", other, rate_wpm=230, pitch=80)
        assert torch.equal(espeak.speak("four blue boxes", voice)[0], alone)
    assert (
        rate_hz == 22050
        and alone.dtype == torch.float32
        and alone.ndim == 1
        and 0.05 < alone.abs().max() <= 1.0
    )


def test_another_process_says_the_same_samples() -> None:
    here = digest(synth.say(i, 3).samples for i in range(4))
    there = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here


def test_threads_share_the_one_engine() -> None:
    expected = [digest([synth.say(i).samples]) for i in range(6)]
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: digest([synth.say(i).samples])}))
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(6)] == expected


def test_every_voice_sounds_different() -> None:
    assert len(set(espeak.voices())) == len(espeak.voices()) > 100
    said = {
        digest([espeak.speak("carry the old box near the water", voice)[0]])
        for voice in espeak.voices()
    }
    assert len(said) == len(espeak.voices())


def test_rate_pitch_and_volume_are_heard() -> None:
    text = "the quick brown fox"
    slow, fast = (espeak.speak(text, rate_wpm=rate)[0] for rate in (120, 240))
    assert len(slow) > 1.4 * len(fast)
    quiet, loud = (espeak.speak(text, volume=volume)[0].square().mean() for volume in (30, 100))
    assert quiet < 0.5 * loud
    assert not torch.equal(espeak.speak(text, pitch=20)[0], espeak.speak(text, pitch=80)[0])


@pytest.mark.parametrize(
    "wrong", [{"voice": "en-us+nobody"}, {"voice": "xx-nowhere"}, {"rate_wpm": 5}, {"pitch": 100}]
)
def test_wrong_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"speak: .*(voice|expected)"):
        espeak.speak("hello", **wrong)


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak._paths.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[synth\]'"):
        espeak.speak("hello")


def test_texts_use_all_letters_and_digits_and_nothing_else() -> None:
    texts = synth.sentences(600, seed=1)
    assert set("".join(texts)) == set(string.ascii_lowercase + string.digits + " ")
    assert len(set(texts)) == 600 and not set(texts) & set(
        synth.sentences(100, seed=2, without=texts)
    )
    assert texts == synth.sentences(600, seed=1) != synth.sentences(600, seed=2)


def test_one_written_digit_is_one_spoken_word() -> None:
    assert (
        synth.spoken_form("call 4 0 7") == synth.spoken_form("call 407") == "call four zero seven"
    )
    for text in synth.sentences(50):
        assert len(synth.spoken_form(text).split()) == len(text.split())


@pytest.mark.parametrize("seed", range(5))
def test_test_variants_are_unheard_in_training(seed: int) -> None:
    train, test = ({voice.split("+")[1] for voice in part} for part in synth.split_voices(seed))
    assert not train & test and test & set(espeak.MALE) and test & set(espeak.FEMALE)


def test_noise_lies_20_to_40_db_below_the_speech() -> None:
    clean, noisy = (synth.say(7, noise_share=share).samples for share in (0.0, 1.0))
    ratio_db = 10 * torch.log10(clean.square().mean() / (noisy - clean).square().mean())
    assert 19.0 < ratio_db < 41.0


def test_corpus_is_what_its_manifests_say(tmp_path) -> None:
    parts = [
        [json.loads(line) for line in path.open()]
        for path in synth.synthesise_corpus(tmp_path / "c", SMALL)
    ]
    assert [len(part) for part in parts] == [12, 4]
    for line in parts[0] + parts[1]:
        info = soundfile.info(tmp_path / "c" / line["audio_filepath"])
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert info.frames == round(line["duration"] * 16000)
    for key in ("text", "speaker"):
        assert not {line[key] for line in parts[0]} & {line[key] for line in parts[1]}
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_finished_corpus_is_reused_and_another_is_the_same(tmp_path) -> None:
    manifests = synth.synthesise_corpus(tmp_path / "a", SMALL)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    assert synth.synthesise_corpus(tmp_path / "a", SMALL) == manifests
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")} == stamps
    synth.synthesise_corpus(tmp_path / "b", SMALL)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_other_settings_and_foreign_folders_are_refused(tmp_path) -> None:
    synth.synthesise_corpus(tmp_path / "a", SMALL)
    with pytest.raises(ValueError, match="another seed;"):
        synth.synthesise_corpus(tmp_path / "a", synth.SynthSettings(train=12, test=4, seed=1))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected a synthetic corpus"):
        synth.synthesise_corpus(tmp_path / "b", SMALL)
    one = ("en-us+f1",)
    with pytest.raises(ValueError, match=r"not in training; in both: en-us\+f1"):
        synth.synthesise_corpus(
            tmp_path / "c", synth.SynthSettings(train_voices=one, test_voices=one)
        )


def test_nothing_is_left_when_the_work_is_broken_off(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = synth.say

    def breaks(index: int, *args, **kwargs) -> synth.Spoken:
        if index == 3:
            raise KeyboardInterrupt
        return whole(index, *args, **kwargs)

    monkeypatch.setattr(synth, "say", breaks)
    with pytest.raises(KeyboardInterrupt):
        synth.synthesise_corpus(tmp_path / "c", SMALL)
    assert not list(tmp_path.iterdir())


def test_voices_of_another_engine_are_drawn_as_often_and_do_not_select(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    for name in ("flite", "piper"):

        def speak(text: str, voice: str, *args: Any, name: str = name, **kwargs: Any) -> Any:
            asked.append((name, voice))

        monkeypatch.setitem(synth.ENGINES, name, speak)
    train, dev = synth.voices_of("espeak,flite")
    learnt, selecting = synth.split_voices()
    by_flite = [voice for voice in train if voice.startswith("flite:")]
    assert [voice for voice in train if voice not in by_flite] == learnt
    assert abs(len(by_flite) - len(learnt)) <= len(set(by_flite))
    assert dev == selecting
    assert synth.voices_of("espeak") == (learnt, selecting)
    both = "espeak,piper:voices/alan.onnx,piper:joe,piper:joe"
    train, _ = synth.voices_of(both)
    half = len(learnt) // 2
    assert train == learnt + ["piper:joe"] * half + ["piper:voices/alan.onnx"] * half
    # What is not installed is told before training.
    assert asked[-1] == ("piper", "voices/alan.onnx")
    assert ("flite", "slt") in asked


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        ("flite", "espeak among them"),
        ("espeak,festival", "'festival'"),
        ("espeak,espeak:f1", "'espeak:f1'"),
    ],
)
def test_engines_that_are_not_known_are_named(engines: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        synth.voices_of(engines)
    synth.ENGINES["mine"] = synth.ENGINES["espeak"]
    with pytest.raises(ValueError, match="got 'mine'"):  # no list of its voices
        synth.voices_of("espeak,mine")
    del synth.ENGINES["mine"]
    with pytest.raises(ValueError, match="expected an engine"):
        synth.engine_of("festival:kal")
