"""Who may judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.compare.judge import (
    BundleJudge,
    FunctionJudge,
    JudgeError,
    OwnJudge,
    load_judge,
    load_judges,
)
from ctcasr.data import read_manifest
from ctcasr.data.provenance import ENHANCED_BY, fingerprint, provenance_of
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet, plain_words

Make = Callable[..., Path]


@pytest.fixture
def recogniser(tmp_path: Path) -> Callable[..., Path]:
    """recogniser(notes) saves an untrained one."""

    def make(notes: dict[str, Any], name: str = "r") -> Path:
        torch.manual_seed(0)
        spec, letters = (
            NetSpec(FrontSpec(rate_hz=8000, bands=8), layers=1, hidden=4),
            Alphabet.english38(),
        )
        return checkpoint.save(
            tmp_path / name / "best.pt",
            Recogniser.payload(build(spec, letters.size), spec_to(spec), letters, notes),
        )

    return make


def test_a_recogniser_that_was_trained_on_enhanced_files_is_refused(
    world: Make, enhanced: Make, recogniser: Callable[..., Path]
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    (folder / ENHANCED_BY).write_text("{}", encoding="utf-8")
    lines = [{"audio_filepath": path.name, "text": "one"} for path in sorted(folder.glob("*.wav"))]
    (folder / "train.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    notes = provenance_of(read_manifest(folder / "train.jsonl").utterances)
    assert notes["enhanced"] == 4
    with pytest.raises(JudgeError, match="never trained on enhanced speech; 4 of"):
        OwnJudge.load(recogniser({"heard": notes}))


def test_also_where_nothing_beside_the_files_told_so(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    notes = {"files": [fingerprint(next(folder.glob("*.wav")))], "enhanced": 0}
    with pytest.raises(JudgeError, match="never trained on enhanced speech; it was trained on"):
        score(scenes, [folder], [recogniser({"heard": notes})])


def test_known_scenes_and_own_listeners_are_marked(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    folder = enhanced(scenes, "mixed", lambda x: 0.5 * x)
    judge = recogniser(
        {"heard": {"files": [fingerprint(scenes.parent / "S000_target.wav")], "enhanced": 0}}
    )
    (folder / ENHANCED_BY).write_text(
        json.dumps({"listener": fingerprint(judge)}), encoding="utf-8"
    )
    found = score(scenes, [folder], [judge])
    marks = {row["condition"]: row["own_listener"] for row in found["rows"]}
    assert marks == {"noisy": False, "clean": False, "enhanced": True}
    assert any("recordings of 1 of these 4 scenes" in remark for remark in found["remarks"])
    assert any("was trained to please" in remark for remark in found["remarks"])


def test_interferers_that_are_called_unseen_and_were_heard_are_told(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    lines = [
        json.loads(line) | {"interferer_fingerprint": f"{k:016x}"}
        for k, line in enumerate(scenes.read_text().splitlines())
    ]
    scenes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    judge = recogniser({"heard": {"files": [f"{k:016x}" for k in (0, 1, 3)], "enhanced": 0}})
    remarks = score(scenes, [enhanced(scenes)], [judge])["remarks"]
    assert [line["seen"] for line in lines] == [True, False, True, False]
    assert any(
        "the very interferers of 2 scenes that are called unseen" in remark for remark in remarks
    )


def test_without_hashes_it_is_said_that_nothing_is_known(recogniser: Callable[..., Path]) -> None:
    assert "is not known" in OwnJudge.load(recogniser({})).remarks[0]


def test_names_tell_judges_apart(recogniser: Callable[..., Path], listener: str) -> None:
    path = recogniser({})
    names = [str(path), str(path), f"R1={path}", listener, f"toy={listener}"]
    judges = load_judges(names)
    assert [judge.name for judge in judges] == ["r", "r (2)", "R1", listener, "toy"]


def test_a_function_is_found_in_the_working_folder_and_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def listen(sounds, rate_hz):\n    return ['one' for _ in sounds]\n"
    (tmp_path / "my_asr_here.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    for name in ("my_asr_here:listen", "PS=./my_asr_here.py:listen", "PS=my_asr_here:listen"):
        judge = load_judge(name)
        assert judge.listen([torch.zeros(8)] * 2, 8000) == ["one", "one"]
    fingerprint = judge.fingerprint
    (tmp_path / "my_asr_here.py").write_text(source + "# changed\n")
    changed = load_judge("./my_asr_here.py:listen")
    assert fingerprint and changed.fingerprint not in ("", fingerprint)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "expected a list of 2 texts; got NoneType None"),
        ("one two", "expected a list of 2 texts; got str 'one two'"),
        ({"text": "one"}, "got dict"),
        (["one"], "expected 2 texts for 2 sounds; got 1"),
        (["one", {"text": "two"}], "got dict .* for sound 2 of 2"),
        ([None, "two"], "got NoneType None for sound 1 of 2"),
    ],
)
def test_what_is_no_list_of_texts_is_named(returned: Any, message: str) -> None:
    judge = FunctionJudge("asr:f", lambda sounds, rate_hz: returned, plain_words)
    with pytest.raises(JudgeError, match=f"asr:f: .*{message}"):
        judge.listen([torch.zeros(8)] * 2, 8000)


def test_weights_that_cannot_be_had_are_a_sentence() -> None:
    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "A")

        def get_model(self) -> torch.nn.Module:
            raise OSError("Name or service not known")

    with pytest.raises(JudgeError, match=r"bundle:TOY: its weights .*checkpoints by hand"):
        BundleJudge("bundle:TOY", Bundle())


@pytest.mark.parametrize(
    "name",
    ["nowhere.pt", "no_such_module:listen", "json:no_such_function", "bundle:NO_SUCH", "what"],
)
def test_a_judge_that_cannot_be_found_is_told_in_a_sentence(name: str) -> None:
    sentence = "expected|needs a torchaudio"  # without torchaudio no bundle can be looked for
    with pytest.raises((JudgeError, checkpoint.CheckpointError), match=sentence):
        load_judge(name)


def test_a_bundle_is_decoded_greedily() -> None:
    class Model(torch.nn.Module):
        def forward(self, sound: torch.Tensor) -> tuple[torch.Tensor, None]:
            path = torch.tensor([0, 1, 1, 0, 1, 2, 3, 0])
            return torch.nn.functional.one_hot(path, 4)[None].float(), None

    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "A", "|", "B")

        def get_model(self) -> torch.nn.Module:
            return Model()

    assert BundleJudge("bundle:TOY", Bundle()).listen([torch.zeros(800)], 8000) == ["aa b"]


def test_a_bundles_references_are_what_its_labels_can_write() -> None:
    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")

        def get_model(self) -> torch.nn.Module:
            return torch.nn.Identity()

    judge = BundleJudge("bundle:TOY", Bundle())
    assert judge.reference("It's room 42.").text == "it's room four two"
    assert judge.reference("Well.").taken_out == {".": 1}


def test_a_fingerprint_is_of_length_beginning_and_end(tmp_path: Path) -> None:
    marks = set()
    for name, data in (
        ("a", b"x" * 300_000),
        ("b", b"x" * 300_001),
        ("c", b"y" + b"x" * 299_999),
        ("d", b"x" * 299_999 + b"y"),
    ):
        (tmp_path / name).write_bytes(data)
        marks.add(fingerprint(tmp_path / name))
    assert len(marks) == 4 and all(len(mark) == 16 for mark in marks)
