"""Planted defects are found by line; healthy corpora give nothing, real ones what is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.doctor import Examination, Finding, examine
from ctcasr.doctor.examination import expected_s
from ctcasr.doctor.unlike import COMPARISONS
from ctcasr.recognise.model import SpeechModel
from ctcasr.text import Alphabet

Make = Callable[..., Any]


def found(result: Examination) -> dict[str, Finding]:
    return {f.slug: f for f in result.findings}


def test_a_healthy_manifest_gives_no_finding(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet
) -> None:
    result = examine(healthy().write(), model, tokenizer)
    assert result.findings == () and not result.hurts
    assert result.listened == result.utterances == result.lines == 30
    assert result.seconds == pytest.approx(60) and result.speakers == 7


def test_a_corpus_is_as_long_as_lines_say_or_headers(tmp_path: Path, make_babble: Make) -> None:
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", make_babble(1.0, 0), 16000)
    told = Utterance(tmp_path / "none.wav", duration=5.0)
    untold = [Utterance(tmp_path / "a.wav", offset=0.5), Utterance(tmp_path / "b.wav")]
    assert expected_s([told]) == 5.0
    assert expected_s([told, *untold]) == pytest.approx(6.5)


def test_every_planted_defect_is_found_by_its_line(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet, make_babble: Make
) -> None:
    corpus = healthy(60)
    sound = make_babble(2.0, 999)
    nan = sound.copy()
    nan[77] = np.nan
    hum = (0.2 * np.sin(np.arange(32000) * 2 * np.pi * 300 / 16000)).astype(np.float32)
    clipped = np.clip(8 * sound, -0.5, 0.5)
    planted: dict[str, tuple[int, ...]] = {
        "broken-line": (corpus.raw('{"audio_filepath": "u1.wav", "text": '),),
        "missing-file": (
            corpus.raw(
                json.dumps({"audio_filepath": "gone.wav", "duration": 2.0, "text": "bar an"})
            ),
        ),
        "empty-file": (corpus.add(),),
        "unreadable-file": (corpus.add(),),
        "not-finite": (corpus.add(nan),),
        "duration-beyond-file": (corpus.add(duration=3.5),),
        "duration-short-of-file": (corpus.add(duration=1.7),),
        "empty-text": (corpus.add(text="  "),),
        "missing-text": (corpus.add(text=None),),
        "uncovered-characters": (corpus.add(text="baran жук dosil"),),
        "uncovered-text": (corpus.add(text="жуки"),),
        "too-few-frames": (corpus.add(make_babble(0.8, 5005), text="aabbccdd eeffgg"),),
        "too-fast": (corpus.add(make_babble(2.0, 5006), text="kirast lusin metorn " * 4),),
        "strange-pace": (corpus.add(make_babble(12.0, 5007), text="barast lusin"),),
        "silent": (corpus.add(np.zeros(32000, np.float32)),),
        "clipped": (corpus.add(clipped.astype(np.float32)),),
        "dc-offset": (corpus.add((sound + 0.1).astype(np.float32)),),
        "constant-features": (corpus.add(hum),),
        "mixed-rates": (corpus.add(rate_hz=8000),),
        "cancelled-channels": (corpus.add(np.stack([sound, -sound], 1)),),
        "contradictory-audio": (
            corpus.add(make_babble(2.0, 5008), text="lurast"),
            corpus.add(make_babble(2.0, 5008), text="mesist"),
        ),
        "duplicate-audio": tuple(
            corpus.add(make_babble(2.0, 5009), text="vetorn kira") for _ in range(2)
        ),
        "repeated-text": (corpus.add(text="dovest kiral"), corpus.add(text="dovest kiral")),
        "digits-and-words": (corpus.add(text="kivest 7 baran"),),
    }
    planted["too-few-frames"] += planted[
        "too-fast"
    ]  # nobody speaks so fast, and no network of this stride can write so fast
    planted["repeated-text"] += planted["duplicate-audio"]
    stereo = make_babble(2.0, 5010)
    corpus.add(np.stack([stereo, 0.5 * stereo], 1), text="masil terak")
    corpus.add(text="kivest seven baran")
    corpus.add(text="kivest eight baran")
    (corpus.path / f"u{planted['empty-file'][0]}.wav").write_bytes(b"")
    (corpus.path / f"u{planted['unreadable-file'][0]}.wav").write_bytes(b"this is no sound at all")

    result = examine(corpus.write(), model, tokenizer)
    slugs = found(result)
    assert {slug: slugs[slug].lines for slug in planted if slug in slugs} == {
        s: tuple(sorted(at)) for s, at in planted.items()
    }
    others = set(slugs) - COMPARISONS - {"odd-letters", "odd-syllables", "text-twice"}
    assert others == {*planted, "several-channels"}, "nothing that was not planted"
    assert result.hurts


@pytest.mark.parametrize("bad, severity", [(1, "warning"), (9, "error")])
def test_few_lines_without_room_are_a_warning_and_many_are_an_error(
    healthy: Make,
    model: SpeechModel,
    tokenizer: Alphabet,
    make_babble: Make,
    bad: int,
    severity: str,
) -> None:
    corpus = healthy(150)
    for seed in range(bad):
        corpus.add(make_babble(0.1, 500 + seed), text="ab")
    corpus.lines[-bad:] = [
        line.replace('"text": "ab"', '"text": "abcd"') for line in corpus.lines[-bad:]
    ]
    result = examine(corpus.write(), model, tokenizer)
    finding = found(result)["too-few-frames"]
    assert finding.severity == severity and finding.lines == tuple(range(151, 151 + bad))
    assert result.slack is not None and result.slack.infeasible == bad


def test_slack_is_frames_less_symbols_less_repeats(
    folder: Any, model: SpeechModel, tokenizer: Alphabet, make_babble: Make
) -> None:
    folder.add(make_babble(1.0, 1), text="aabbc")
    result = examine(folder.write(), model, tokenizer)
    assert result.slack is not None and result.slack.least == model.frames(16000) - 5 - 2


def test_what_train_and_valid_share_is_found(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet, make_babble: Make
) -> None:
    train, valid = healthy(20), healthy(0, "valid")
    copied = train.add(make_babble(2.0, 321), text="baran lusin")
    valid.add(make_babble(2.0, 321), text="baran lusin", speaker="v1")
    valid.raw(
        json.dumps(
            {"audio_filepath": "../u3.wav", "duration": 2.0, "text": "metorn", "speaker": "s3"}
        )
    )
    slugs = found(examine(train.write(), model, tokenizer, against=valid.write()))
    assert slugs["shared-recordings"].lines == (3,) and slugs["shared-recordings"].figures[
        "against_lines"
    ] == [2]
    assert slugs["shared-audio"].lines == (copied,) and slugs["shared-audio"].figures[
        "against_lines"
    ] == [1]
    assert (
        slugs["shared-speakers"].lines == (3, 10, 17)
        and slugs["shared-speakers"].severity == "warning"
    )
    assert slugs["shared-texts"].lines == (copied,)


def test_known_speakers_by_design_are_a_note(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet, make_babble: Make
) -> None:
    train, valid = healthy(20), healthy(0, "valid")
    valid.add(make_babble(2.0, 77), text="lurast mesist", speaker="s1")
    result = examine(train.write(), model, tokenizer, against=valid.write())
    assert [(f.slug, f.severity) for f in result.findings] == [("same-speakers", "note")]


def test_a_closed_grammar_is_no_defect(
    folder: Any, model: SpeechModel, tokenizer: Alphabet
) -> None:
    for number in range(60):
        folder.add(text=["zero", "one", "two"][number % 3])
    result = examine(folder.write(), model, tokenizer)
    assert [(f.slug, f.severity) for f in result.findings] == [
        ("closed-grammar", "note")
    ] and not result.hurts


def test_one_text_for_most_recordings_is_suspicious(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet
) -> None:
    corpus = healthy(40)
    lines = tuple(corpus.add(text="unknown text") for _ in range(6))
    assert found(examine(corpus.write(), model, tokenizer))["dominant-text"].lines == lines


def test_a_sample_reads_the_headers_of_the_rest(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet
) -> None:
    corpus = healthy(20)
    missing = corpus.raw(
        json.dumps({"audio_filepath": "gone.wav", "duration": 2.0, "text": "bar an"})
    )
    whole, part = (examine(corpus.write(), model, tokenizer, sample=n) for n in (None, 5))
    assert 4 <= part.listened <= 5 and whole.listened == 20
    assert part.slack == whole.slack and found(part)["missing-file"].lines == (missing,)


def test_findings_do_not_depend_on_workers(
    healthy: Make, model: SpeechModel, tokenizer: Alphabet
) -> None:
    corpus = healthy(20)
    corpus.add(np.zeros(32000, np.float32))
    assert examine(corpus.write(), model, tokenizer, workers=1) == examine(
        corpus.write(), model, tokenizer, workers=4
    )


# what is true of public corpora ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "train, valid, slugs",
    [
        ("librispeech_samples/train.jsonl", "librispeech_samples/valid.jsonl", {"dc-offset"}),
        ("grid_s1/train.jsonl", "grid_s1/valid.jsonl", {"same-speakers"}),
        (
            "speech_commands/train.jsonl",
            "speech_commands/valid.jsonl",
            {"clipped", "dc-offset", "closed-grammar", "duplicate-audio", "same-texts"},
        ),
        (
            "fsdd/train.jsonl",
            "fsdd/test.jsonl",
            {"too-few-frames", "closed-grammar", "upsampled", "same-speakers", "same-texts"},
        ),
    ],
)
def test_public_corpora_can_be_trained_on(
    data_root: Path,
    model: SpeechModel,
    tokenizer: Alphabet,
    train: str,
    valid: str,
    slugs: set[str],
) -> None:
    result = examine(data_root / train, model, tokenizer, against=data_root / valid)
    told = found(result)
    wording = {"odd-letters", "odd-syllables"}
    assert set(told) - COMPARISONS - wording == slugs and not result.hurts
    for slug in COMPARISONS & set(told):
        assert len(told[slug].lines) < 0.15 * result.lines, slug


def test_two_short_digits_have_no_alignment_at_stride_four(
    data_root: Path, model: SpeechModel, tokenizer: Alphabet
) -> None:
    finding = found(examine(data_root / "fsdd/train.jsonl", model, tokenizer, sample=0))[
        "too-few-frames"
    ]
    assert finding.severity == "warning" and finding.lines == (551, 570)
