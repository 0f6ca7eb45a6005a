"""Scores of a manifest: what was not scored is never hidden in a figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from ctcasr import Recogniser, checkpoint
from ctcasr.batch import Utterance
from ctcasr.cli import main
from ctcasr.ctc import Decoded
from ctcasr.data.skipped import NothingScoredError
from ctcasr.recognise.evaluation import evaluate, examine
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from tests.recognise.helpers import ALPHABET, RATE, network, noise, recogniser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips and a checkpoint."""
    path = tmp_path_factory.mktemp("evaluation")
    for name, samples in (("a", 8000), ("b", 5000), ("c", 3000)):
        soundfile.write(path / f"{name}.wav", noise(samples, samples).numpy(), RATE)
    own = recogniser()
    checkpoint.save(path / "best.pt", Recogniser.payload(own.model, own.spec, ALPHABET, {}))
    return path


def manifest(folder: Path, lines: list[tuple[str, str | None]]) -> Path:
    path = folder / "m.jsonl"
    rows = [
        {"audio_filepath": f"{name}.wav", **({} if text is None else {"text": text})}
        for name, text in lines
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def scored(folder: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["evaluate", str(folder / "best.pt"), str(path), "--out", str(folder / "out")])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_nothing_readable_is_no_figure_and_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = manifest(folder, [(f"gone{n}", "a b") for n in range(20)])
    status, out, err = scored(folder, path, capsys)
    assert status == 1 and "WER" not in out
    assert "all 20 were skipped" in err and "gone0.wav" in err and "and 17 more" in err
    scores = json.loads((folder / "out" / "scores.json").read_text(encoding="utf-8"))
    assert scores["wer"] is None and scores["cer"] is None and len(scores["skipped"]) == 20


def test_half_missing_is_told_in_the_line_of_the_figure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = manifest(folder, [("a", "a b"), ("gone", "a b")])
    status, out, _ = scored(folder, path, capsys)
    line = out.splitlines()[0]
    assert status == 0 and line.startswith("WER ") and "1 skipped; WARNING: 50 %" in line
    assert "gone.wav" in line


def test_lines_without_a_text_and_an_empty_manifest_are_no_perfect_score(folder: Path) -> None:
    for utterances in ([], [Utterance(folder / "a.wav")]):
        result = evaluate(recogniser(), utterances)
        assert result.scores()["wer"] is None
        with pytest.raises(NothingScoredError):
            result.refuse_nothing()


def test_what_the_alphabet_cannot_write_is_in_no_reference_but_named(folder: Path) -> None:
    plain = [Utterance(folder / f"{name}.wav", text="ab c") for name in "ab"]
    dotted = [Utterance(u.audio_filepath, text="Ab c.​") for u in plain]
    wanted, found = (evaluate(recogniser(), lines) for lines in (plain, dotted))
    assert found.tally == wanted.tally
    assert found.scores()["taken_out"] == {".": 2, "\u200b": 2}
    assert wanted.scores()["taken_out"] == {}
    foreign = evaluate(recogniser(), [Utterance(folder / "a.wav", text="日本")])
    assert len(foreign.skipped) == 1 and "日本" in foreign.skipped[0].reason


def test_the_rule_about_digits_is_the_checkpoints(folder: Path) -> None:
    spelling = Alphabet.english29(digits="spell")
    spec = recogniser().spec
    model = network(symbols=spelling.size)
    path = folder / "spelling" / "best.pt"
    checkpoint.save(path, Recogniser.payload(model, spec, spelling, {}))
    texts = ("room 42", "room four two")
    lines = [Utterance(folder / "a.wav", text=text) for text in texts]
    digits, words = evaluate(Recogniser.load(path), lines).rows
    assert digits.reference == words.reference == "room four two"
    assert digits.hypothesis.text == words.hypothesis.text


def test_the_size_of_a_batch_changes_nothing(folder: Path) -> None:
    lines = [
        Utterance(folder / f"{name}.wav", text=text)
        for name, text in zip("abc", "abc", strict=True)
    ]
    whole, parts = (evaluate(recogniser(), lines, seconds) for seconds in (120.0, 0.01))
    assert whole.tally == parts.tally
    assert [row.utterance for row in parts.rows] == lines
    assert [row.hypothesis.text for row in parts.rows] == [
        row.hypothesis.text for row in whole.rows
    ]


def test_files_are_strict_json_line_by_line(folder: Path, tmp_path: Path) -> None:
    result = evaluate(recogniser(), [Utterance(folder / "a.wav", text="ab c")])
    result.write(tmp_path / "out")
    (line,) = (tmp_path / "out" / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert row["reference"] == "ab c" and row["hypothesis"] == result.rows[0].hypothesis.text
    assert [word for word, _, _ in row["words"]] == row["hypothesis"].split()
    confusion = result.scores()["confusions"][0]
    assert set(confusion) == {"reference", "hypothesis", "count"}
    alignments = (tmp_path / "out" / "alignments.txt").read_text(encoding="utf-8")
    assert alignments.startswith("a: ") and "REF:" in alignments


def test_what_no_decoder_found_has_no_score_in_strict_json(folder: Path, tmp_path: Path) -> None:
    def find_nothing(logits: Seq) -> list[list[Decoded]]:
        return [[] for _ in range(len(logits))]

    lines = [Utterance(folder / "a.wav", text="ab c")]
    evaluate(recogniser(), lines, decoder=find_nothing).write(tmp_path)
    written = (tmp_path / "hypotheses.jsonl").read_text(encoding="utf-8")
    row = json.loads(written, parse_constant=pytest.fail)
    assert row["score"] is None and row["hypothesis"] == ""


def test_a_view_has_what_the_picture_draws(folder: Path) -> None:
    view = examine(recogniser(), Utterance(folder / "a.wav", text="ab c"))
    assert view["posteriors"].shape[1] == len(view["symbols"]) == ALPHABET.size
    assert view["posteriors"].sum(1) == pytest.approx(1.0, abs=1e-5)
    ratio = view["frame_s"] / view["feature_s"]
    assert ratio == pytest.approx(len(view["features"]) / len(view["posteriors"]), rel=0.05)
