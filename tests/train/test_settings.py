"""Settings: defaults < --from < flags, errors that name the field, TOML that comes back."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.commands.train import load_recipe
from ctcasr.train import RunSettings, TrainConfig, option, parse, required, to_toml
from ctcasr.train.config import RARE, USUAL
from ctcasr.train.settings import check, read_numbers, read_range, settings_parser


@dataclass(frozen=True)
class Settings:
    """Some settings."""

    needed: str
    layers: int = option(3, "how many")
    rate: float = option(0.5, "how fast")
    name: str = option("x", "what")
    masks: bool = option(True, "whether")


@dataclass(frozen=True)
class RecipeSettings(RunSettings):
    """Settings of a recipe."""

    needed: str = required("what to learn from")
    rate: float = option(0.5, "how fast")


def test_defaults_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('needed = "file"\nlayers = 5\nrate = 0.25\nmasks = false\n', encoding="utf-8")
    assert parse(Settings, ["--needed", "n"]) == Settings("n")
    assert parse(Settings, ["--from", str(file)]) == Settings("file", 5, 0.25, "x", False)
    flags = ["--layers", "7", "--masks", "--needed", "flag"]
    assert parse(Settings, ["--from", str(file), *flags]) == Settings("flag", 7, 0.25, "x", True)
    assert parse(Settings, [*flags, "--from", str(file)]) == Settings("flag", 7, 0.25, "x", True)


@dataclass(frozen=True)
class LaterSettings(Settings):
    """Some settings, with a younger one."""

    hiss: str = option("15,45", "of noise")


def test_settings_of_a_run_repeat_it_where_a_default_is_younger(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(Settings("n")), encoding="utf-8")
    assert parse(LaterSettings, ["--from", str(file)]).hiss == "none"
    assert parse(LaterSettings, ["--from", str(file), "--hiss", "0,9"]).hiss == "0,9"
    file.write_text('needed = "n"\nlayers = 5\n', encoding="utf-8")  # by hand, not by a run
    assert parse(LaterSettings, ["--from", str(file)]).hiss == "15,45"


def test_a_flag_beats_the_file_even_where_it_repeats_the_default_or_says_no(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('needed = "f"\nlayers = 5\nmasks = true\nname = "y"\n', encoding="utf-8")
    assert parse(
        Settings, ["--from", str(file), "--layers", "3", "--no-masks", "--name", ""]
    ) == Settings("f", 3, name="", masks=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("laiers = 5", "unknown setting 'laiers'; did you mean 'layers'"),
        ("zzz = 5", "unknown setting 'zzz'"),
        ("layers = 5.5", "layers: expected int; got 5.5"),
        ("layers = true", "layers: expected int; got True"),
        ('rate = "fast"', "rate: expected float; got 'fast'"),
        ("rate = false", "rate: expected float; got False"),
        ("masks = 1", "masks: expected bool; got 1"),
        ("name = 3", "name: expected str; got 3"),
        ("layers 5", "wrong.toml: expected settings as TOML; Expected '='"),
        ("layers = 5\nlayers = 5", "wrong.toml: expected settings as TOML"),
    ],
)
def test_a_wrong_file_is_told_with_its_name(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('needed = "n"\n' + text, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        parse(Settings, ["--from", str(file)])
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_a_file_of_bytes_is_told_and_one_of_windows_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.toml"
    file.write_bytes(b"\xef\xbb\xbfneeded = 'n'\r\n")
    assert parse(Settings, ["--from", str(file)]).needed == "n"
    file.write_bytes(b"\xb2\x00\xff")
    with pytest.raises(SystemExit):
        parse(Settings, ["--from", str(file)])
    assert "some.toml: expected settings as TOML" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--needed", "n", "--layers", "many"], "--layers"),
        (["--needed", "n", "--laiers", "3"], "--laiers"),
        (
            ["--needed", "n", "--lay", "3"],
            "--lay",
        ),  # no abbreviations: they break when a field is added
        ([], "expected --needed"),
        (["--needed", "n", "--from", "/nowhere/s.toml"], "/nowhere/s.toml"),
    ],
)
def test_wrong_flags_are_told(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(Settings, argv)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_help_shows_every_field_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(TrainConfig, ["--help"], prog="recognise")
    page = capsys.readouterr().out
    assert (
        caught.value.code == 0
        and all("--" + f.name.replace("_", "-") in page for f in fields(TrainConfig))
        and "[0.002]" in page
    )


def test_an_integer_is_a_float_where_one_is_wanted() -> None:
    values = check(Settings, {"rate": 2}, "here")
    assert values == {"rate": 2.0} and isinstance(values["rate"], float)


def round_trip(settings: Settings, folder: Path) -> Settings:
    file = folder / "s.toml"
    file.write_text(to_toml(settings), encoding="utf-8")
    return parse(Settings, ["--from", str(file)])


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "\\",
        "C:\\new\\table",
        "a\nb\tc\r",
        "'''",
        '"""',
        "#",
        "ümläut ☃ 𝄞",
        "\x00\x1f\x7f\x80",
        " = ",
        "\u2028",
        "",
    ],
)
def test_strings_come_back_as_they_were(text: str, tmp_path: Path) -> None:
    settings = Settings(text, name=text)
    assert round_trip(settings, tmp_path) == settings


@given(
    st.builds(
        Settings,
        st.text(),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
        st.booleans(),
    )
)
def test_toml_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, settings: Settings
) -> None:
    assert round_trip(settings, tmp_path_factory.getbasetemp()) == settings


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    config = TrainConfig(lr=1e-6, budget="8h", warmup=1, schedule="cosine", clip=0.0)
    (tmp_path / "s.toml").write_text(to_toml(config), encoding="utf-8")
    assert parse(TrainConfig, ["--from", str(tmp_path / "s.toml")]) == config


def test_help_tells_what_is_usual_first_then_the_recipes_own_and_ends_with_an_example() -> None:
    text = settings_parser(RecipeSettings, "mine").format_help()
    flags = ["--out", "--epochs", "--from", "--rate", "--weight-decay", "--workers"]
    places = [text.index(f"\n  {flag}") for flag in flags]
    assert places == sorted(places)
    assert text.startswith("usage: mine --needed NEEDED [FLAGS]")
    headings = ["usual:", "of this recipe:", "optimiser and learning rate:", "the machine:"]
    assert all(f"\n{heading}\n" in text for heading in headings)


def test_every_flag_has_one_heading() -> None:
    headed = [*USUAL, *(name for names in RARE.values() for name in names)]
    assert len(set(headed)) == len(headed)
    assert {entry.name for entry in fields(RunSettings)} <= set(headed)


def test_the_example_is_the_command_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "__doc__", "A recipe.\n\npython a.py --x \\\n    --y\n\nmore")
    text = settings_parser(RecipeSettings).format_help()
    assert text.endswith("example:\n  python a.py --x \\\n      --y\n")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("python recipes/a.py --x 1", "ctcasr train a --x 1"),
        ("torchrun --n 2 recipes/a.py --x 1", "torchrun --n 2 -m ctcasr.recipes.a --x 1"),
    ],
)
def test_the_example_of_an_installed_recipe_names_no_checkout(
    line: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "__doc__", line)
    monkeypatch.setattr(module, "__file__", "site-packages/ctcasr/recipes/a.py")
    assert settings_parser(RecipeSettings).format_help().endswith(f"example:\n  {typed}\n")


@pytest.mark.parametrize("text", ["fast", "", "1,,2", "0", "-1", "nan", "inf"])
def test_a_list_that_is_none_names_its_flag(text: str) -> None:
    with pytest.raises(ValueError, match="--speeds: expected numbers above 0"):
        read_numbers("speeds", text)


def test_the_nearest_flag_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(TrainConfig, ["--shedule", "cosine"])
    assert "did you mean '--schedule'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse(TrainConfig, ["--quite-another", "3"])
    assert "did you mean" not in capsys.readouterr().err


def test_epochs_on_the_command_line_outdo_the_budget_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('budget = "3m"\nepochs = 60\n')
    assert parse(TrainConfig, ["--from", str(path)]).budget == "3m"
    again = parse(TrainConfig, ["--from", str(path), "--epochs", "1"])
    assert (again.epochs, again.budget) == (1, "")
    other = parse(TrainConfig, ["--from", str(path), "--budget", "5m"])
    assert other.budget == "5m"


def test_epochs_and_a_budget_that_chooses_them_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse(TrainConfig, ["--epochs", "1", "--budget", "5m"])
    assert "--epochs or --budget" in capsys.readouterr().err
    assert parse(TrainConfig, ["--epochs", "1", "--budget", ""]).epochs == 1


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--epochs", "0"], "epochs: expected at least 1; got 0"),
        (["--unreadable", "nan"], "unreadable: expected 0 to 1; got nan"),
        (["--average", "1.5"], "average: expected 0 to 0.999999; got 1.5"),
        (["--seed", "-1"], "seed: expected 0 to 9223372036854775807; got -1"),
        (["--patience", "-1"], "patience: expected at least 0; got -1"),
        (["--clip", "-1"], "clip: expected at least 0; got -1"),
        (["--lr", "nan"], "lr: expected a rate of 0 or more; got nan"),
        (["--budget", "5 parsecs"], "budget: expected a time as 90s, 30m or 8h"),
    ],
)
def test_numbers_that_no_training_can_have_are_a_wrong_call(
    flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(TrainConfig, flags)
    assert stop.value.code == 2 and told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "flags", "told"),
    [
        (
            "recognise",
            "--batch-size 0",
            "batch_size or batch_seconds: expected a limit above 0",
        ),
        ("recognise", "--batch-seconds -1", "batch_seconds: expected at least 0; got -1.0"),
        ("recognise", "--resume --overwrite", "expected --resume, which goes on, or --overwrite"),
        ("recognise", "--workers -5", "workers: expected at least -1; got -5"),
        ("recognise", "--splice 2", "splice: expected 0 to 1; got 2.0"),
        ("recognise", "--warp 3", "warp: expected 0 to 0.5; got 3.0"),
        ("recognise", "--augment-from nan", "augment_from: expected 0 to 1000000000.0; got nan"),
        ("recognise", "--consistency -1", "consistency: expected 0 to 1000000.0; got -1.0"),
        ("recognise", "--average 1", "average: expected 0 to 0.999999; got 1.0"),
        ("recognise", "--floor 2", "floor: expected 0 to 1; got 2.0"),
        ("recognise", "--decay-after 0", "decay_after: expected at least 1; got 0"),
        ("recognise", "--resume --init a.pt", "or --init; got both"),
        ("recognise", "--no-augment --warp 0.1", "or --no-augment; got both"),
        ("recognise", "--budget 5m --star 2,1", "star: expected --epochs"),
        (
            "recognise",
            "--consistency 0.2 --no-augment --hiss none",
            "consistency: expected two copies that differ",
        ),
        ("classify", "--batch-size 0", "batch_size: expected a limit above 0; got 0"),
        ("commands", "--real-share 1", "real_share: expected 0 to 0.999; got 1.0"),
    ],
)
def test_a_recipe_refuses_them_before_it_reads_anything(
    recipe: str, flags: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    required = "--sentences no.txt" if recipe == "commands" else "--train no.jsonl"
    with pytest.raises(SystemExit) as stop:
        load_recipe(recipe).main([*required.split(), *flags.split()])
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_a_batch_may_be_limited_by_seconds_alone() -> None:
    settings = load_recipe("recognise").Settings
    flags = ["--train", "no.jsonl", "--batch-size", "0", "--batch-seconds", "60"]
    assert parse(settings, flags).batch_seconds == 60.0


@pytest.mark.parametrize("text", ["5", "2,20,30", "20,2", "0,3", "a,b", "", "2.5,3"])
def test_a_range_that_is_none_names_its_flag(text: str) -> None:
    with pytest.raises(ValueError, match=r"--words: expected fewest and most"):
        read_range("words", text)


@pytest.mark.parametrize(
    ("recipe", "needed", "flag"),
    [
        ("recognise", "--train", "--valid"),
        ("enhance", "--train", "--valid"),
        ("librispeech", "--train", "--valid"),
        ("commands", "--sentences", "--foreign"),
    ],
)
def test_a_misspelt_manifest_is_told_before_anything_is_trained(
    recipe: str, needed: str, flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text('{"audio_filepath": "a.wav"}\n', encoding="utf-8")
    module = load_recipe(recipe)
    assert parse(module.Settings, [needed, "x", flag, str(there)])
    with pytest.raises(SystemExit):
        parse(module.Settings, [needed, "x", flag, f"{there},{tmp_path / 'ther.jsonl'}"])
    told = capsys.readouterr().err
    assert f"{flag}: " in told and "ther.jsonl" in told
    with pytest.raises(SystemExit):
        parse(load_recipe("pretrain").Settings, ["--texts", "x", "--dev-utterances", "0"])
