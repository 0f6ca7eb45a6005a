"""Specs as plain data: round trips, TOML, and errors that name the field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ctcasr.front import FrontSpec
from ctcasr.recognise.spec import PRESETS, read_spec, spec_from, spec_to
from ctcasr.specs import ConvSpec, NetSpec, describe

SPECS = {
    **PRESETS,
    "clipped": NetSpec(
        FrontSpec(8000, bands=20, n_fft=256, norm="zca"),
        (ConvSpec(2, (4, 3), (3, 1)),),
        layers=2,
        hidden=8,
        clip=20.0,
    ),
    "fc": NetSpec(
        FrontSpec(8000, norm="corpus", log=False),
        fc=(9, 7),
        layers=1,
        hidden=8,
        rnn_norm="none",
        bidirectional=False,
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_plain_data_and_back(name: str) -> None:
    spec = SPECS[name]
    assert spec_from(spec_to(spec)) == spec
    assert spec_from(json.loads(json.dumps(spec_to(spec)))) == spec


def test_a_toml_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(
        """
rnn = "lstm"
layers = 2
dropout = 0            # an integer where a float lies
fc = [64, 32]
[front]
rate_hz = 8000
norm = "pca"
[[conv]]
channels = 8
kernel = [5, 3]
stride = [2, 2]
""",
        encoding="utf-8",
    )
    wanted = NetSpec(
        FrontSpec(8000, norm="pca"), (ConvSpec(8, (5, 3), (2, 2)),), "lstm", 2, fc=(64, 32)
    )
    assert read_spec(str(path)) == wanted
    assert isinstance(read_spec(str(path)).dropout, float)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_found_by_name(name: str) -> None:
    assert read_spec(name) is PRESETS[name]


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'default'"):
        read_spec("defualt")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"laiers": 3}, r"spec: unknown key 'laiers'; did you mean 'layers'"),
        ({"front": {"n_ftt": 512}}, r"spec\.front: unknown key 'n_ftt'; did you mean 'n_fft'"),
        (
            {"conv": [{"channels": 3, "kernel": [3, 3], "strides": [1, 1]}]},
            r"spec\.conv\[0\]: unknown key 'strides'; did you mean 'stride'",
        ),
        ({"zzz": 1}, r"unknown key 'zzz'; expected one of .*'rnn'"),
        ({"layers": "three"}, r"spec\.layers: expected int; got 'three'"),
        ({"layers": 3.5}, r"spec\.layers: expected int; got 3\.5"),
        ({"layers": True}, r"spec\.layers: expected int; got True"),
        ({"bidirectional": 1}, r"spec\.bidirectional: expected bool; got 1"),
        ({"dropout": "much"}, r"spec\.dropout: expected float; got 'much'"),
        ({"dropout": False}, r"spec\.dropout: expected float; got False"),
        ({"front": 512}, r"spec\.front: expected a table; got 512"),
        ({"fc": 128}, r"spec\.fc: expected a list; got 128"),
        ({"fc": [128, "x"]}, r"spec\.fc\[1\]: expected int; got 'x'"),
        (
            {"conv": [{"channels": 3, "kernel": [3], "stride": [1, 1]}]},
            r"spec\.conv\[0\]\.kernel: expected 2 values; got \[3\]",
        ),
        ({"clip": "x"}, r"spec\.clip: expected float \| None; got 'x'"),
    ],
)
def test_wrong_specs_name_the_field(data: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spec_from(data)


def test_a_missing_key_of_a_layer_is_named() -> None:
    with pytest.raises(ValueError, match=r"spec\.conv\[0\].*stride"):
        spec_from({"conv": [{"channels": 3, "kernel": [3, 3]}]})


def test_a_spec_in_one_line() -> None:
    spec = NetSpec(
        FrontSpec(bands=40),
        (ConvSpec(8, (5, 5), (2, 2)), ConvSpec(8, (5, 5), (2, 1))),
        "lstm",
        3,
        64,
        fc=(32,),
    )
    assert describe(spec) == "mel 40, 2 conv (stride 4), 3 x BiLSTM 64, FC-32"
    assert len({describe(spec) for spec in SPECS.values()}) == len(SPECS)


def test_a_preset_is_changed_by_words_behind_its_name() -> None:
    changed = read_spec("default rnn=gru front.norm=none fc=[128,64] dropout=0.3 clip=20")
    plain = read_spec("default")
    assert changed == replace(
        plain,
        rnn="gru",
        front=replace(plain.front, norm="none"),
        fc=(128, 64),
        dropout=0.3,
        clip=20.0,
    )
    assert plain == read_spec("default ") and plain.rnn != "gru"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("default hiden=3", "did you mean 'hidden'"),
        ("default hidden", "field=value"),
        ("default front.bands.x=1", "field=value"),
        ("default hidden=big", "expected int"),
        ("defolt hidden=3", "did you mean 'default'"),
        ("", "expected a preset"),
    ],
)
def test_a_change_that_fits_nowhere_is_told(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_spec(name)


def test_a_new_network_hears_levels_of_the_utterance_and_an_old_one_as_it_learnt() -> None:
    assert read_spec("default").front.floor_db == 65.0
    older = spec_to(read_spec("default"))
    del older["front"]["floor_db"]  # a checkpoint from before has none
    assert spec_from(older).front.floor_db == 0.0
