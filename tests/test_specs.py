"""Plain data becomes dataclasses and back, or says what is wrong and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec, NetSpec, describe, from_plain, resolve_spec, to_plain

PRESETS = {"small": NetSpec(hidden=64), "smart": NetSpec(layers=5)}


def make(data: Any, where: str) -> NetSpec:
    spec: NetSpec = from_plain(NetSpec, data, where)
    return spec


@dataclass(frozen=True)
class Inner:
    """A table in a table."""

    size: int


@dataclass(frozen=True)
class Outer:
    """What the checks are tried on."""

    name: str
    share: float = 0.5
    on: bool = False
    inner: Inner | None = None
    pair: tuple[int, int] = (1, 2)
    many: tuple[Inner, ...] = ()


def test_there_and_back() -> None:
    spec = NetSpec(FrontSpec(bands=40), (ConvSpec(8, (5, 5), (2, 1)),), clip=20.0, fc=(9, 7))
    assert make(to_plain(asdict(spec)), "spec") == spec
    assert "blank_start" not in to_plain(asdict(spec))  # TOML has no None


def test_whole_numbers_serve_as_floats_but_no_others() -> None:
    outer = from_plain(Outer, {"name": "x", "share": 1, "many": [{"size": 3}]}, "o")
    assert outer == Outer("x", 1.0, many=(Inner(3),)) and isinstance(outer.share, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"o: expected a table; got \[\]"),
        ({}, r"o: expected name too; got only \[\]"),
        ({"name": 3}, r"o\.name: expected str; got 3"),
        ({"name": "x", "nam": "y"}, r"o: unknown key 'nam'; did you mean 'name'\?"),
        ({"name": "x", "zzzzz": 1}, r"o: unknown key 'zzzzz'; expected one of \['name'"),
        ({"name": "x", "share": True}, r"o\.share: expected float; got True"),
        ({"name": "x", "on": 1}, r"o\.on: expected bool; got 1"),
        ({"name": "x", "pair": [1]}, r"o\.pair: expected 2 values; got \[1\]"),
        ({"name": "x", "pair": 1}, r"o\.pair: expected a list; got 1"),
        ({"name": "x", "pair": [1, "2"]}, r"o\.pair\[1\]: expected int; got '2'"),
        ({"name": "x", "many": [{"size": 1}, {}]}, r"o\.many\[1\]: expected size too"),
        ({"name": "x", "many": [{"size": 1.5}]}, r"o\.many\[0\]\.size: expected int; got 1.5"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_plain(Outer, data, "o")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_field_takes_what_is_no_number(number: float) -> None:
    with pytest.raises(ValueError, match=r"o\.share: expected a finite number; got"):
        from_plain(Outer, {"name": "x", "share": number}, "o")


@pytest.mark.parametrize(
    "change",
    [
        "layers=-1",
        "hidden=0",
        "lookahead=-1",
        "fc=[64,0]",
        "clip=0",
        "dropout=1.5",
        "prior_weight=-0.1",
        "states=-1",
        "conv=[{channels=0,kernel=[5,5],stride=[2,2]}]",
        "conv=[{channels=8,kernel=[5,0],stride=[2,2]}]",
        "conv=[{channels=8,kernel=[5,5],stride=[0,2]}]",
    ],
)
def test_sizes_that_no_network_has_are_refused_by_name(change: str) -> None:
    field = change.partition("=")[0]
    with pytest.raises(ValueError, match=f"small {field}=.*{field}.*: expected"):
        resolve_spec(f"small {change}", PRESETS, make)


def test_presets_and_changes() -> None:
    assert resolve_spec("small", PRESETS, make) is PRESETS["small"]
    changed = resolve_spec("small layers=2 front.norm=pca dropout=0.1 fc=[32]", PRESETS, make)
    front = replace(PRESETS["small"].front, norm="pca")
    assert changed == NetSpec(front, hidden=64, layers=2, dropout=0.1, fc=(32,))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smal", r"a preset \(small, smart\) or a \.toml file; got 'smal'; did you mean 'small'"),
        ("", "a preset"),
        ("small hidden", "a change as field=value"),
        ("small hidden.size=3", "a change as field=value"),
        ("small hiden=3", "unknown key 'hiden'; did you mean 'hidden'"),
        ("small hidden=much", r"hidden: expected int; got 'much'"),
    ],
)
def test_names_that_nothing_answers_to(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_spec(name, PRESETS, make)


def test_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text('rnn = "lstm"\n[front]\nbands = 40\n', encoding="utf-8")
    assert resolve_spec(str(path), PRESETS, make) == NetSpec(FrontSpec(bands=40), rnn="lstm")
    changed = resolve_spec(f"{path} layers=2 front.norm=pca", PRESETS, make)
    assert changed == NetSpec(FrontSpec(bands=40, norm="pca"), rnn="lstm", layers=2)


@pytest.mark.parametrize("content", [b'rnn = "ls', b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.toml: expected TOML; "):
        resolve_spec(str(path), PRESETS, make)


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (NetSpec(), "mel 80, 3 x BiGRU 128, FC"),
        (NetSpec(FrontSpec(kind="spectrogram")), "spectrogram 257, 3 x BiGRU 128, FC"),
        (
            NetSpec(
                conv=(ConvSpec(8, (5, 5), (2, 1)),) * 2,
                rnn="lstm",
                bidirectional=False,
                lookahead=8,
                fc=(32, 16),
            ),
            "mel 80, 2 conv (stride 4), 3 x LSTM 128, look-ahead 8, FC-32-16",
        ),
    ],
)
def test_one_line_for_people(spec: NetSpec, line: str) -> None:
    assert describe(spec) == line
