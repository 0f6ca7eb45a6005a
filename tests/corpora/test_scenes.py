"""Scenes: made by the seed, as they are listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.cli import main
from ctcasr.compare import read_scenes
from ctcasr.corpora import scenes as scene_lists
from ctcasr.data import read_manifest, write_manifest
from ctcasr.data.provenance import fingerprint
from tests.fixtures.scene_lists import make

SPEAKER = Utterance(Path("a.wav"), speaker="s1")


def test_the_same_seed_makes_the_same_scenes(sources: Path) -> None:
    flags = [
        "--noise",
        str(sources / "noise.jsonl"),
        "--talkers",
        str(sources / "talkers.jsonl"),
        "--rooms",
        str(sources / "rooms.jsonl"),
    ]
    first, second, other = (
        make(sources, "a", *flags),
        make(sources, "b", *flags),
        make(sources, "c", *flags, "--seed", "1"),
    )
    assert first == second != other
    for path in sorted((sources / "a" / "scenes").glob("*.wav")):
        assert path.read_bytes() == (sources / "b" / "scenes" / path.name).read_bytes()
    more = make(sources, "d", *flags, "--copies", "2")
    assert len(more) == 12 and more[0] == first[0]


def test_files_add_up_at_the_listed_snr(sources: Path) -> None:
    lines = make(sources, "a", "--noise", str(sources / "noise.jsonl"))
    for line in lines:
        paths = (
            sources / "a" / line[f"{part}_filepath"] for part in ("audio", "target", "interferer")
        )
        mixed, target, interferer = (soundfile.read(path)[0] for path in paths)
        assert np.abs(mixed - target - interferer).max() < 3 / 32768
        assert 10 * np.log10((target**2).sum() / (interferer**2).sum()) == pytest.approx(
            line["snr_db"], abs=0.1
        )
        assert -10 <= line["snr_db"] <= 10


def test_every_class_is_drawn_alike_however_many_recordings_it_has(sources: Path) -> None:
    scenes = scene_lists
    kind = scenes.read_kind("noise", "label", [str(sources / "noise.jsonl")], (-10, 10))
    drawn = [scenes.draw_scene(0, n, scenes.Sources([kind]), SPEAKER) for n in range(3000)]
    counts = {label: sum(d.label == label for d in drawn) for label in ("rain", "wind", "tap")}
    assert all(abs(count - 1000) < 110 for count in counts.values()), (
        counts
    )  # over four standard errors
    levels = np.array([d.snr_db for d in drawn])
    assert abs(levels.mean()) < 0.5 and levels.min() < -9.9 and levels.max() > 9.9


def test_nobody_talks_against_himself_and_short_talkers_begin_anew(sources: Path) -> None:
    lines = make(sources, "a", "--talkers", str(sources / "talkers.jsonl"))
    assert {line["interferer_source"] for line in lines} == {"talkers1"}
    assert all(
        -15 <= line["snr_db"] <= 5 and line["noise"] == line["interferer"] == "talker"
        for line in lines
    )


def test_the_own_voice_competes_with_other_words_only(sources: Path) -> None:
    draw = np.random.default_rng(3)
    lines = []
    for number, text in enumerate(("one", "two", "two")):
        soundfile.write(sources / f"own{number}.wav", 0.1 * draw.standard_normal(8000), 16000)
        line = {"audio_filepath": f"own{number}.wav", "speaker": "s9", "text": text}
        lines.append(json.dumps({**line, "duration": 0.5}))
    (sources / "own.jsonl").write_text("\n".join(lines) + "\n")
    manifest = str(sources / "own.jsonl")
    scene_lists.main(
        ["--speech", manifest, "--own", manifest, "--copies", "9", "--out", str(sources / "o")]
    )
    made = [json.loads(line) for line in (sources / "o" / "SCENES.jsonl").open()]
    assert len(made) == 27
    heard = {(line["source"], line["interferer_source"]) for line in made}
    pairs = {("own0", "own1"), ("own0", "own2"), ("own1", "own0"), ("own2", "own0")}
    assert heard == pairs
    assert {line["interferer"] for line in made} == {line["noise"] for line in made} == {"own"}
    listed = json.loads((sources / "o" / "scenes.json").read_text())
    assert {scene["interferer"]["type"] for scene in listed} == {"speech"}


def test_babble_is_a_kind_of_its_own_at_the_snr_of_talkers(sources: Path) -> None:
    lines = make(sources, "a", "--babble", str(sources / "noise.jsonl"))
    assert {line["interferer"] for line in lines} == {"babble"}
    assert {line["noise"] for line in lines} <= {"rain", "wind", "tap"}
    assert all(-15 <= line["snr_db"] <= 5 for line in lines)


def test_seen_classes_videos_and_the_list_of_the_challenge(sources: Path) -> None:
    lines = make(
        sources,
        "a",
        "--noise",
        str(sources / "noise.jsonl"),
        "--not-labels",
        "wind",
        "--seen",
        "rain",
        "--copies",
        "3",
    )
    assert {line["noise"] for line in lines} == {"rain", "tap"}
    assert all(line["seen"] == (line["noise"] == "rain") for line in lines)
    assert [bool(line.get("video_filepath")) for line in lines].count(True) == 3
    assert (sources / "a" / "scenes" / "S00007_silent.mp4").read_bytes() == b"frames"
    listed = json.loads((sources / "a" / "scenes.json").read_text(encoding="utf-8"))
    assert [one["scene"] for one in listed[:2]] == ["S00001", "S00002"]
    assert set(listed[0]) == {"dataset", "scene", "duration", "target", "interferer", "SNR"}
    assert set(listed[0]["interferer"]) == {"type", "name", "offset", "time_start", "time_end"}
    assert [one["SNR"] for one in listed] == [line["snr_db"] for line in lines]


def test_what_is_not_there_is_told(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = [
        "prepare",
        "scenes",
        "--speech",
        str(sources / "speech.jsonl"),
        "--out",
        str(sources / "a"),
    ]
    assert main(base) == 1
    assert "--talkers or --own" in capsys.readouterr().err
    assert main([*base, "--noise", str(sources / "noise.jsonl"), "--labels", "snow"]) == 1
    assert "snow" in capsys.readouterr().err


def test_scenes_are_added_to_those_that_lie_there(sources: Path) -> None:
    noise = ["--noise", str(sources / "noise.jsonl")]
    first = make(sources, "two", *noise, "--labels", "rain", "--part", "dev")
    both = make(sources, "two", *noise, "--labels", "tap", "--append")
    assert both[:6] == first and [line["noise"] for line in both] == ["rain"] * 6 + ["tap"] * 6
    assert [Path(line["audio_filepath"]).stem for line in both][5:7] == [
        "S00006_mixed",
        "S00007_mixed",
    ]
    assert [line.get("part") for line in both] == ["dev"] * 6 + [None] * 6
    assert len(json.loads((sources / "two" / "scenes.json").read_text(encoding="utf-8"))) == 12
    assert {line["interferer_fingerprint"] for line in both[6:]} <= {
        fingerprint(sources / f"noise{i}.wav") for i in (2, 3)
    }
    scenes, skipped = read_scenes(sources / "two" / "SCENES.jsonl")
    assert len(scenes) == 12 and not skipped


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--noise-snr-db nan nan", "from -90 to 90; got 'nan'"),
        ("--noise-snr-db 0 inf", "from -90 to 90; got 'inf'"),
        ("--noise-snr-db 500 500", "from -90 to 90; got '500'"),
        ("--noise-snr-db 5 -5", "expected LOW <= HIGH; got 5 -5"),
        ("--talker-snr-db nan 0", "from -90 to 90; got 'nan'"),
        ("--talker-snr-db 5 -5", "expected LOW <= HIGH; got 5 -5"),
        ("--room-share 7", "from 0 to 1; got '7'"),
        ("--room-share nan", "from 0 to 1; got 'nan'"),
        ("--first -5", "got '-5'"),
        ("--copies 0", "got '0'"),
        ("--rate-hz 0", "got '0'"),
        ("--rate-hz 16", "got '16'"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    out = tmp_path / "out"
    base = ["prepare", "scenes", "--speech", "none.jsonl", "--noise", "none.jsonl"]
    try:
        status = main([*base, "--out", str(out), *words.split()])
    except SystemExit as end:  # as argparse ends
        status = 2 if end.code == 2 else 0
    message = capsys.readouterr().err
    assert status in (1, 2) and not out.exists()
    assert words.split()[0] in message and told in message


def test_a_scene_is_not_made_over_what_it_is_made_from(sources: Path) -> None:
    noise = ["--noise", str(sources / "noise.jsonl")]
    make(sources, "a", *noise)
    out = sources / "a"
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    listed = str(out / "SCENES.jsonl")
    elsewhere = sources / "elsewhere.jsonl"
    scenes = read_manifest(listed)
    write_manifest(elsewhere, scenes)
    for flag, manifest in (("--speech", listed), ("--speech", str(elsewhere)), ("--noise", listed)):
        words = [flag, manifest, "--out", str(out), "--rate-hz", "8000"]
        other = noise if flag == "--speech" else ["--speech", str(sources / "speech.jsonl")]
        for more in ([], ["--append"]):
            with pytest.raises(ValueError, match="than the one that is read"):
                scene_lists.main([*other, *words, *more])
    assert {path: path.read_bytes() for path in before} == before


def test_a_link_in_the_folder_is_replaced_and_what_it_names_stays(sources: Path) -> None:
    before = (sources / "speech0.wav").read_bytes()
    (sources / "a/scenes").mkdir(parents=True)
    (sources / "a/scenes/S00001_mixed.wav").symlink_to(sources / "speech0.wav")
    make(sources, "a", "--noise", str(sources / "noise.jsonl"))
    assert (sources / "speech0.wav").read_bytes() == before


def test_scenes_are_added_after_the_last_number_also_where_one_was_left_out(sources: Path) -> None:
    speech = sources / "speech.jsonl"
    (sources / "speech1.wav").write_bytes(b"no sound")
    noise = ["--noise", str(sources / "noise.jsonl")]
    first = make(sources, "two", *noise)
    last = sources / "two/scenes/S00006_mixed.wav"
    before = last.read_bytes()
    assert len(first) == 5 and len(speech.read_text().splitlines()) == 6
    both = make(sources, "two", *noise, "--append", "--seed", "1")
    assert last.read_bytes() == before
    names = [line["audio_filepath"] for line in both]
    assert len(set(names)) == 10 and Path(names[5]).name == "S00007_mixed.wav"


def test_scenes_want_a_folder(sources: Path) -> None:
    words = ["--speech", str(sources / "speech.jsonl"), "--noise", str(sources / "noise.jsonl")]
    with pytest.raises(ValueError, match=r"expected a folder to write to \(--out\)"):
        scene_lists.main([*words, "--out", str(sources / "speech0.wav")])


def test_added_scenes_are_others_and_depend_on_their_number_alone(sources: Path) -> None:
    flags = ["--noise", str(sources / "noise.jsonl")]
    make(sources, "a", *flags)
    make(sources, "a", *flags, "--append")
    count = len(list((sources / "a/scenes").glob("*_mixed.wav"))) // 2
    make(sources, "b", *flags, "--first", str(count + 1))
    for number in range(1, count + 1):
        first = (sources / f"a/scenes/S{number:05d}_mixed.wav").read_bytes()
        added = (sources / f"a/scenes/S{number + count:05d}_mixed.wav").read_bytes()
        again = (sources / f"b/scenes/S{number + count:05d}_mixed.wav").read_bytes()
        assert first != added == again


@pytest.mark.parametrize("content", ["{}", "x"])
def test_a_list_of_scenes_that_is_none_is_told_before_anything_is_made(
    sources: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--noise", str(sources / "noise.jsonl")]
    make(sources, "a", *flags)
    (sources / "a/scenes.json").write_text(content)
    before = sorted((sources / "a/scenes").iterdir())
    speech = ["--speech", str(sources / "speech.jsonl")]
    command = ["prepare", "scenes", *speech, *flags, "--out", str(sources / "a"), "--append"]
    assert main(command) == 1
    assert "scenes.json: expected a list of scenes" in capsys.readouterr().err
    assert sorted((sources / "a/scenes").iterdir()) == before


def test_a_run_that_is_broken_off_leaves_no_list_of_scenes_that_are_gone(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = ["--noise", str(sources / "noise.jsonl")]
    make(sources, "a", *noise)
    write = soundfile.write

    def broken_off(path: Path, *rest: object, **named: object) -> None:
        if path.name == "S00002_mixed.wav":
            raise KeyboardInterrupt
        write(path, *rest, **named)

    monkeypatch.setattr(soundfile, "write", broken_off)
    with pytest.raises(KeyboardInterrupt):
        make(sources, "a", *noise, "--seed", "1")
    assert [path.name for path in (sources / "a").iterdir()] == ["scenes"]


def test_where_no_scene_can_be_made_those_of_before_stay(sources: Path) -> None:
    make(sources, "a", "--noise", str(sources / "noise.jsonl"))
    alone = sources / "alone.jsonl"
    alone.write_text((sources / "talkers.jsonl").read_text().splitlines()[0])
    with pytest.raises(ValueError, match="none could be made"):
        make(sources, "a", "--talkers", str(alone))
    assert len(read_manifest(sources / "a/SCENES.jsonl")) == 6


@pytest.mark.parametrize("flag", ["--labels", "--not-labels"])
def test_a_class_that_no_noise_has_is_told(sources: Path, flag: str) -> None:
    noise = ["--noise", str(sources / "noise.jsonl")]
    with pytest.raises(ValueError, match="recordings of hail; the manifests have rain, tap, wind"):
        make(sources, "a", *noise, flag, "rain", "hail")
    talkers = ["--talkers", str(sources / "talkers.jsonl")]
    with pytest.raises(ValueError, match="expected --noise beside --labels"):
        make(sources, "a", *talkers, flag, "rain")
