"""Going on with a run: what may change counts or is told, what makes another run is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError
from ctcasr.train import RunFolderError, RunSettings, World, option, run_notes, saved_run
from ctcasr.train.resuming import refuse_changed


@dataclass(frozen=True)
class Settings(RunSettings):
    """Settings."""

    train: str = option("", "manifest")
    dev: str = option("", "manifest")
    valid: str = option("", "manifest")
    dev_share: float = option(0.1, "share")
    net: str = option("default", "network")
    text: str = option("english38", "symbols")
    batch_size: int = option(8, "utterances")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a run that was stopped."""
    train = tmp_path / "train.jsonl"
    train.write_text("lines")
    made = Settings(train=str(train), out=str(tmp_path / "run"))
    payload = {"kind": "recogniser", "notes": run_notes("mine", made, [])}
    checkpoint.save(tmp_path / "run" / "last.pt", payload)
    return replace(made, resume=True)


def test_what_is_free_to_change_counts_without_a_word(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(settings, epochs=99, workers=3, device="cpu", budget="8h", log_every=1)
    saved = saved_run(other, World())
    assert saved is not None and saved["kind"] == "recogniser"
    assert capsys.readouterr().out == ""


def test_what_changes_the_training_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_run(replace(settings, batch_size=64, lr=1e-4), World())
    told = capsys.readouterr().out
    assert "--batch-size 8 -> 64" in told and "--lr 0.002 -> 0.0001" in told


@dataclass(frozen=True)
class LaterSettings(Settings):
    """Settings."""

    splice: float = option(0.7, "share")
    hiss: str = option("15,45", "of noise")


def test_a_default_that_is_younger_than_the_run_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    later = LaterSettings(train=settings.train, out=settings.out, resume=True)
    saved_run(later, World())
    told = capsys.readouterr().out
    assert "--splice 0.0 -> 0.7" in told and "--hiss 'none' -> '15,45'" in told
    saved_run(replace(later, splice=0.0, hiss="none"), World())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": "pieces:39"}, "--text was 'english38' and is 'pieces:39'"),
        ({"net": "default hidden=256"}, "--net was 'default'"),
        ({"seed": 1}, "--seed was 0 and is 1"),
        ({"dev_share": 0.2}, "--dev-share was 0.1 and is 0.2"),
        ({"optimiser": "sgd"}, "--optimiser was 'adamw'"),
    ],
)
def test_what_makes_another_run_is_refused(
    change: dict[str, str], told: str, settings: Settings
) -> None:
    with pytest.raises(RunFolderError, match=told):
        saved_run(replace(settings, **change), World())  # type: ignore[arg-type]


@dataclass(frozen=True)
class StatesSettings(Settings):
    """Settings of a recipe whose network may be told states."""

    states: float = option(0.0, "weight")


def test_a_weight_may_change_but_not_to_or_from_nothing(settings: Settings) -> None:
    told = StatesSettings(train=settings.train, out=settings.out, resume=True, states=0.3)
    with pytest.raises(RunFolderError, match=r"--states was 0.0 and is 0.3"):
        saved_run(told, World())
    payload = {"kind": "recogniser", "notes": run_notes("mine", told, [])}
    checkpoint.save(Path(settings.out) / "last.pt", payload)
    assert saved_run(replace(told, states=0.1), World()) is not None
    with pytest.raises(RunFolderError, match=r"--states was 0.3 and is 0.0"):
        saved_run(replace(told, states=0.0), World())


def test_another_manifest_would_hold_out_another_part(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(settings.train).write_text("other lines")
    with pytest.raises(RunFolderError, match=r"train\.jsonl\) has changed.*--dev"):
        saved_run(settings, World())
    saved_run(replace(settings, dev=str(tmp_path / "dev.jsonl")), World())
    assert "the content of train.jsonl" in capsys.readouterr().out


def test_the_content_counts_and_not_the_name(settings: Settings, tmp_path: Path) -> None:
    moved = tmp_path / "moved.jsonl"
    Path(settings.train).rename(moved)
    assert saved_run(replace(settings, train=str(moved)), World()) is not None
    other = tmp_path / "other.jsonl"
    other.write_text("lines in another order")
    with pytest.raises(RunFolderError, match="another part would be held out"):
        saved_run(replace(settings, train=str(other)), World())
    with pytest.raises(RunFolderError, match="another part would be held out"):
        saved_run(replace(settings, train=f"{moved},{other}"), World())


def test_manifests_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.jsonl").write_text(folder)
    paths = [str(tmp_path / folder / "train.jsonl") for folder in ("a", "b")]
    made = Settings(train=paths[0], valid=paths[1], out=str(tmp_path / "run"), resume=True)
    payload = {"kind": "recogniser", "notes": run_notes("mine", made, [])}
    checkpoint.save(tmp_path / "run" / "last.pt", payload)
    Path(paths[1]).write_text("what is scored may change")
    assert saved_run(made, World()) is not None
    Path(paths[0]).write_text("what is learnt from may not")
    with pytest.raises(RunFolderError, match="another part would be held out"):
        saved_run(made, World())


def test_notes_of_before_told_manifests_by_their_names(settings: Settings) -> None:
    path = Path(settings.out) / "last.pt"
    payload = checkpoint.load(path)
    ((name, content),) = payload["notes"]["manifests"]["train"]
    payload["notes"]["manifests"] = {name: content}
    checkpoint.save(path, payload)
    assert saved_run(settings, World()) is not None
    Path(settings.train).write_text("other lines")
    with pytest.raises(RunFolderError, match="another part would be held out"):
        saved_run(settings, World())


def test_a_new_run_in_a_used_folder_is_refused_and_auto_resume_goes_on(settings: Settings) -> None:
    fresh = replace(settings, resume=False)
    with pytest.raises(RunFolderError, match="--overwrite"):
        saved_run(fresh, World())
    assert saved_run(replace(fresh, overwrite=True), World()) is None
    assert saved_run(replace(fresh, auto_resume=True), World()) is not None
    with pytest.raises(CheckpointError, match="expected a checkpoint"):
        saved_run(replace(settings, out=settings.out + "2"), World())


def test_checkpoints_of_before_say_less_and_are_resumed(settings: Settings) -> None:
    path = Path(settings.out) / "last.pt"
    checkpoint.save(path, {"kind": "recogniser", "notes": {"recipe": "recognise"}})
    assert saved_run(replace(settings, net="other"), World()) is not None


def test_a_score_is_read_only_of_the_same_settings_and_manifests(
    settings: Settings, tmp_path: Path
) -> None:
    run, valid = tmp_path / "run", tmp_path / "valid.jsonl"
    valid.write_text("lines", encoding="utf-8")
    done = replace(settings, valid=str(valid))
    checkpoint.save(run / "best.pt", {"kind": "recogniser", "notes": run_notes("mine", done, [])})
    renamed = valid.rename(tmp_path / "renamed.jsonl")
    refuse_changed(replace(done, valid=str(renamed), epochs=9, workers=2, log_every=1), run)
    with pytest.raises(RunFolderError, match=r"it had other --valid: name another folder"):
        refuse_changed(replace(done, valid=""), run)
    with pytest.raises(RunFolderError, match="it had other --lr"):
        refuse_changed(replace(done, valid=str(renamed), lr=1.0), run)
    renamed.write_text("other lines", encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"--valid \(the content"):
        refuse_changed(replace(done, valid=str(renamed)), run)


def test_auto_resume_begins_anew_where_a_run_died_before_its_first_last_pt(
    settings: Settings,
) -> None:
    out = Path(settings.out)
    (out / "last.pt").rename(out / "best.pt")
    (out / "records.jsonl").write_text('{"kind": "check", "step": 4, "epoch": 1}\n')
    again = replace(settings, resume=False)
    with pytest.raises(RunFolderError, match="holds a run"):
        saved_run(again, World())
    assert saved_run(replace(again, auto_resume=True), World()) is None
