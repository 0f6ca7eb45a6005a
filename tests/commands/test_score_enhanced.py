"""The whole protocol on planted truths."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.cli import main
from ctcasr.commands.score_enhanced import Options, score_enhanced
from ctcasr.scoring import word_errors

Make = Callable[..., Path]
Score = Callable[..., dict[str, Any]]


def row(found: dict[str, Any], condition: str) -> dict[str, Any]:
    (one,) = [r for r in found["rows"] if r["condition"] == condition]
    return dict(one)


def lines(tmp_path: Path, condition: str) -> list[dict[str, str]]:
    with (tmp_path / "score" / "rows.csv").open(encoding="utf-8", newline="") as file:
        return [line for line in csv.DictReader(file) if line["condition"] == condition]


def test_noisy_files_as_enhanced_ones_are_undecided_with_difference_zero(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world()
    found = row(score(scenes, [enhanced(scenes)], [listener]), "enhanced")
    against = found["against_noisy"]
    assert (against["word"], against["difference"], against["interval_95"]) == (
        "undecided",
        0.0,
        [0.0, 0.0],
    )


def test_the_clean_files_as_enhanced_ones_help(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world()
    found = score(scenes, [enhanced(scenes, "target")], [listener])
    assert row(found, "noisy")["wer"] > 0.2
    assert row(found, "enhanced")["against_noisy"]["word"] == "helps"
    assert row(found, "enhanced")["wer"] == row(found, "clean")["wer"]


def test_more_noise_as_enhancement_harms(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes, rng = world(), np.random.default_rng(1)
    folder = enhanced(
        scenes, "mixed", lambda x: x + rng.normal(0, 0.15, x.shape).astype(np.float32)
    )
    assert row(score(scenes, [folder], [listener]), "enhanced")["against_noisy"]["word"] == "harms"


@pytest.mark.parametrize("delay", [1, 37, 400])
def test_a_delayed_copy_has_the_same_hypotheses(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path, delay: int
) -> None:
    scenes = world(6)
    folder = enhanced(scenes, "mixed", lambda x: np.concatenate([np.zeros(delay, np.float32), x]))
    score(scenes, [folder], [listener])
    for one, other in zip(lines(tmp_path, "enhanced"), lines(tmp_path, "noisy"), strict=True):
        assert one["hypothesis"] == other["hypothesis"]
        assert one["lag"] == str(delay)


@pytest.mark.parametrize("gain", [0.1, 0.5, 2.0, -1.0])
def test_a_rescaled_copy_has_the_same_hypotheses(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path, gain: float
) -> None:
    scenes = world(6)
    score(scenes, [enhanced(scenes, "mixed", lambda x: gain * x)], [listener])
    for one, other in zip(lines(tmp_path, "enhanced"), lines(tmp_path, "noisy"), strict=True):
        assert one["hypothesis"] == other["hypothesis"]
        assert float(one["gain"]) == pytest.approx(1 / gain, rel=1e-4)


def test_other_rates_lengths_and_channels_are_handled_and_counted(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    a, b, c, d = sorted(folder.glob("*.wav"))
    soundfile.write(a, np.repeat(soundfile.read(a)[0], 2), 16000, subtype="FLOAT")
    soundfile.write(b, np.stack([soundfile.read(b)[0]] * 2, 1), 8000, subtype="FLOAT")
    soundfile.write(c, soundfile.read(c)[0][:-100], 8000, subtype="FLOAT")
    soundfile.write(d, np.zeros(8000), 8000)
    score(scenes, [folder], [listener])
    odd = [line["oddities"] for line in lines(tmp_path, "enhanced")]
    assert odd[0].startswith("16000 Hz")
    assert odd[1:] == ["2 channels", "-100 samples", "silent"]


def test_missing_and_broken_files_are_rows_and_counted_as_lost(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(8)
    folder = enhanced(scenes, "target")
    gone, broken, *_ = sorted(folder.glob("*.wav"))
    gone.unlink()
    broken.write_bytes(b"no sound")
    found = row(score(scenes, [folder], [listener]), "enhanced")
    assert found["lost"] == {"missing": 1, "unreadable": 1}
    assert found["utterances"] == 6
    assert found["wer_lost_as_deletions"] == pytest.approx((found["wer"] * 36 + 12) / 48)
    rows = lines(tmp_path, "enhanced")
    assert [r["status"] for r in rows] == ["missing", "unreadable"] + ["ok"] * 6
    assert all(r["reason"] for r in rows[:2])


def test_a_scene_that_cannot_be_read_is_named(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    (scenes.parent / "S001_mixed.wav").unlink()
    found = score(scenes, [folder], [listener])
    assert [skip["where"] for skip in found["skipped"]] == ["SCENES.jsonl:2"]
    assert row(found, "noisy")["utterances"] == 3


def test_empty_hypotheses_are_counted(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world(4)
    found = row(score(scenes, [enhanced(scenes)], ["toy_listener:silent"]), "enhanced")
    assert (found["empty_hypotheses"], found["wer"], found["words"]["deletions"]) == (4, 1.0, 24)


def test_a_judge_that_fails_on_some_sounds_loses_only_these(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world(8)
    found = row(score(scenes, [enhanced(scenes)], ["toy_listener:moody"]), "noisy")
    assert 0 < found["lost"]["failed"] < 8
    assert found["utterances"] == 8 - found["lost"]["failed"]


def test_a_third_partys_normaliser_is_its_own(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world(6)
    found = score(scenes, [enhanced(scenes)], [listener, "toy_listener:shouting"])
    noisy = [r["wer"] for r in found["rows"] if r["condition"] == "noisy"]
    assert noisy[0] == noisy[1] < 1


def with_signs(scenes: Path) -> Path:
    """The scenes with a capital and two signs that no alphabet here can write in each text."""
    entries = [json.loads(line) for line in scenes.read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        entry["text"] = entry["text"].capitalize() + "\u200b."
    signed = scenes.with_name("signed.jsonl")
    signed.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return signed


def test_rows_hold_both_texts_as_they_were_scored(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(6)
    score(with_signs(scenes), [enhanced(scenes)], [listener])
    for line in lines(tmp_path, "noisy"):
        words = word_errors(line["reference"], line["hypothesis"])
        counted = [int(line[name]) for name in ("substitutions", "deletions", "insertions")]
        assert "." not in line["reference"] and words.errors == sum(counted)


def test_a_sign_behind_every_text_changes_no_rate_and_is_told(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world(6)
    folder = enhanced(scenes)
    plain = score(scenes, [folder], [listener])
    found = score(with_signs(scenes), [folder], [listener])
    assert [r["wer"] for r in found["rows"]] == [r["wer"] for r in plain["rows"]]
    remarks = " ".join(found["remarks"])
    assert "taken out of 6 of 6 texts" in remarks and "'.' U+002E x6" in remarks
    assert "taken out" not in " ".join(plain["remarks"])


def test_strata_add_up_to_the_whole(
    world: Make, enhanced: Make, listener: str, score: Score
) -> None:
    scenes = world()
    found = score(scenes, [enhanced(scenes, "target")], [listener])
    assert set(found["strata"]) == {"snr", "interferer", "noise", "speaker", "seen"}
    for parts in found["strata"].values():
        for condition in ("clean", "noisy", "enhanced"):
            for count in ("substitutions", "deletions", "insertions", "total"):
                inside = sum(
                    r["words"][count]
                    for rows in parts.values()
                    for r in rows
                    if r["condition"] == condition
                )
                assert inside == row(found, condition)["words"][count]
    for parts in found["metrics_strata"].values():
        assert (
            sum(rows["enhanced"]["scenes"] for rows in parts.values())
            == found["metrics"]["enhanced"]["scenes"]
        )


def test_the_weight_of_observation_adding_is_chosen_on_sentences_that_are_not_scored(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world()
    rng = np.random.default_rng(2)
    # Half noisy, half a loud artifact: some of each is best.
    folder = enhanced(
        scenes, "target", lambda x: x + rng.normal(0, 0.01, x.shape).astype(np.float32)
    )
    found = score(scenes, [folder], [listener], dev_share=0.5)
    (choice,) = found["observation_adding"]
    assert choice["dev_wer"][f"{choice['share']:g}"] == min(choice["dev_wer"].values())
    assert (found["dev_scenes"], found["test_scenes"]) == (12, 12)
    parts: dict[str, set[str]] = {"dev": set(), "test": set()}
    for line in lines(tmp_path, "noisy"):
        parts[line["part"]].add(line["source"])
    assert not parts["dev"] & parts["test"] and len(parts["dev"]) == 6
    assert row(found, "noisy")["utterances"] == 12


def test_a_trial_is_reproducible(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world()
    folder = enhanced(scenes, "target")
    first, second = (
        score(scenes, [folder], [listener], out=name, dev_share=0.3, seed=7) for name in ("a", "b")
    )
    assert first == second
    assert (tmp_path / "a" / "rows.csv").read_bytes() == (tmp_path / "b" / "rows.csv").read_bytes()


@pytest.mark.parametrize("options", [Options(draws=10), Options(seed=-1)])
def test_what_the_bootstrap_refuses_is_refused_before_anything_is_heard(
    options: Options, world: Make, enhanced: Make, listener: str, tmp_path: Path
) -> None:
    scenes = world()
    folder = enhanced(scenes, "target")
    heard: list[int] = []
    with pytest.raises(ValueError, match=r"draws|seed"):
        score_enhanced(
            scenes,
            [str(folder)],
            [listener],
            tmp_path / "o",
            options,
            progress=lambda done, _total: heard.append(done),
        )
    assert not heard and not (tmp_path / "o").exists()


def test_the_command_writes_the_page_and_refuses_what_it_cannot_score(
    world: Make, enhanced: Make, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = world(40)
    folder = enhanced(scenes, "target")
    arguments = [
        "score-enhanced",
        str(scenes),
        "--recogniser",
        listener,
        "--out",
        str(tmp_path / "o"),
        "--draws",
        "1000",
        "--no-metrics",
    ]
    assert main([*arguments, "--enhanced", f"mine={folder}"]) == 0
    page = (tmp_path / "o" / "page.html").read_text(encoding="utf-8")
    assert "mine" in page and "<svg" in page
    assert 'src="http' not in page and 'href="http' not in page
    assert "helps" in capsys.readouterr().out
    assert main([*arguments, "--enhanced", str(tmp_path / "nowhere")]) == 1
    assert "expected a folder of enhanced files" in capsys.readouterr().err
    assert main([*arguments, "--enhanced", f"noisy={folder}"]) == 1
    assert (
        main(
            [
                *arguments[:2],
                "--recogniser",
                "nobody:there",
                *arguments[4:],
                "--enhanced",
                str(folder),
            ]
        )
        == 1
    )
    assert "nobody" in capsys.readouterr().err


def test_scores_are_json_without_special_numbers(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(2)
    score(scenes, [enhanced(scenes)], [listener])
    text = (tmp_path / "score" / "scores.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in scores.json"))


def test_strangers_are_status_1_and_a_pattern_finds_them(
    world: Make, enhanced: Make, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    for path in sorted(folder.glob("*.wav")):
        path.rename(path.with_name(f"{path.stem}_DeepFilterNet3.wav"))
    command = ["score-enhanced", str(scenes), "--enhanced", str(folder), "--recogniser", listener]
    command += ["--out", str(tmp_path / "o"), "--draws", "1000", "--no-metrics"]
    assert main([*command, "--dev-share", "0"]) == 1
    captured = capsys.readouterr()
    assert "WER" not in captured.out and "--pattern '{id}_DeepFilterNet3.wav'" in captured.err
    pattern = ["--pattern", "{id}_DeepFilterNet3.wav"]
    assert main([*command, "--dev-share", "0", *pattern]) == 0


def test_scenes_of_which_none_can_be_heard_are_status_1(
    world: Make, enhanced: Make, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    for path in scenes.parent.glob("*_target.wav"):
        samples, rate_hz = soundfile.read(path)
        soundfile.write(path, samples[: len(samples) // 2], rate_hz, subtype="FLOAT")
    command = ["score-enhanced", str(scenes), "--enhanced", str(folder), "--recogniser", listener]
    assert main([*command, "--out", str(tmp_path / "o"), "--dev-share", "0", "--no-metrics"]) == 1
    captured = capsys.readouterr()
    assert "all 4 were left out" in captured.err and "S000_target.wav" in captured.err


def test_what_a_third_party_heard_is_remembered(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(4)
    first = score(scenes, [enhanced(scenes)], [listener])
    heard = (tmp_path / "score" / "heard.jsonl").read_bytes()
    assert score(scenes, [enhanced(scenes)], [listener]) == first and heard
    assert (tmp_path / "score" / "heard.jsonl").read_bytes() == heard


def test_progress_ends_at_its_total_with_a_dev_part(
    world: Make, enhanced: Make, listener: str, tmp_path: Path
) -> None:
    scenes = world(12)
    reports: list[tuple[int, int]] = []
    score_enhanced(
        scenes,
        [str(enhanced(scenes, "target"))],
        [listener, f"other={listener}"],
        tmp_path / "out",
        Options(dev_share=0.5, draws=1000, metrics=False),
        lambda done, total: reports.append((done, total)),
    )
    done = [report[0] for report in reports]
    assert done == sorted(done)
    assert reports[-1][0] == reports[-1][1]
    assert all(report[0] <= report[1] for report in reports)


def test_a_judge_that_hears_nothing_is_status_1_and_says_why(
    world: Make, enhanced: Make, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text(
        "def listen(sounds, rate_hz):\n    raise RuntimeError('no model')\n", encoding="utf-8"
    )
    scenes = world(4)
    command = ["score-enhanced", str(scenes), "--enhanced", str(enhanced(scenes)), "--out"]
    command += [str(tmp_path / "o"), "--dev-share", "0", "--no-metrics", "--recogniser", listener]
    assert main([*command, "--recogniser", f"J={tmp_path / 'broken.py'}:listen"]) == 1
    told = "J: expected texts; it failed at every sound (first S000_mixed noisy: RuntimeError: no"
    assert told in capsys.readouterr().err


def test_what_is_no_file_is_counted_by_a_judge_that_knows_recordings(
    world: Make, enhanced: Make, recogniser: Path, score: Score
) -> None:
    payload = torch.load(recogniser, weights_only=True)
    payload["notes"] = {"heard": {"files": ["0"], "enhanced": 0}}
    scenes = world(6)
    knowing = scenes.parent / "knowing.pt"
    torch.save(payload, knowing)
    folder = enhanced(scenes)
    link, inner, gone, *_ = sorted(folder.glob("*.wav"))
    for file in (link, inner, gone):
        file.unlink()
    link.symlink_to("/nowhere")
    inner.mkdir()
    found = score(scenes, [folder], [knowing])
    assert row(found, "enhanced")["lost"] == {"missing": 3}
    assert any("3 of 6 files are missing" in remark for remark in found["remarks"])


def refused(*words: str | Path) -> bool:
    """Whether the command ends with status 1."""
    flags = ["--draws", "1000", "--no-metrics", "--dev-share", "0"]
    return main(["score-enhanced", *map(str, words), *flags]) == 1


def test_files_of_which_none_can_be_heard_are_status_1(
    world: Make, enhanced: Make, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = world(4)
    whole = enhanced(scenes, name="whole")
    broken = enhanced(scenes, name="broken")
    for path in broken.glob("*.wav"):
        path.write_bytes(b"no sound at all")
    command = [scenes, "--recogniser", listener, "--out", tmp_path / "o", "--enhanced"]
    for others in ([], ["--enhanced", whole]):
        assert refused(*command, f"b={broken}", *others)
        captured = capsys.readouterr()
        assert "WER" not in captured.out
        assert "b: expected sounds that can be heard; none of 4 can" in captured.err
        assert "S000_mixed.wav" in captured.err


@pytest.mark.parametrize("text", ["", "..."])
def test_texts_of_which_none_has_a_word_are_status_1(
    world: Make,
    enhanced: Make,
    listener: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    entries = [json.loads(line) for line in scenes.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**entry, "text": text}) + "\n" for entry in entries]
    scenes.write_text("".join(lines), encoding="utf-8")
    command = [scenes, "--enhanced", folder, "--recogniser", listener, "--out", tmp_path / "o"]
    assert refused(*command)
    captured = capsys.readouterr()
    assert "WER" not in captured.out and "none of the 4 to be scored has one" in captured.err
    entries[1]["text"] = "one two"
    lines[1] = json.dumps(entries[1]) + "\n"
    scenes.write_text("".join(lines), encoding="utf-8")
    assert not refused(*command)
    assert "3 of 4 texts hold no word" in capsys.readouterr().out


def test_sentences_that_nobody_heard_are_not_counted(
    world: Make, enhanced: Make, listener: str, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = world(32)
    folder = enhanced(scenes)
    for number in (0, 1, 2, 3, 4, 6):
        (scenes.parent / f"S{number:03d}_target.wav").unlink()
    found = score(scenes, [folder], [listener])
    against = row(found, "enhanced")["against_noisy"]
    assert (found["units"], found["test_scenes"], against["units"]) == (14, 26, 14)
    assert "word error rate of 26 scenes, 14 sentences" in capsys.readouterr().out
    assert len(found["skipped"]) == 6


def test_a_foreign_line_in_what_was_heard_is_passed_over(
    world: Make, enhanced: Make, listener: str, score: Score, tmp_path: Path
) -> None:
    scenes = world(2)
    folder = enhanced(scenes)
    first = score(scenes, [folder], [listener])
    heard = tmp_path / "score" / "heard.jsonl"
    heard.write_bytes(b"null\n{}\n\xf8\xff\n" + heard.read_bytes())
    assert score(scenes, [folder], [listener]) == first
