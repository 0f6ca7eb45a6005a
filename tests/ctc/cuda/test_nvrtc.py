"""The kernels compile for the architectures in use, and the disk keeps them. Needs no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.geometry import KernelGeometry, run
from ctcasr.ctc.cuda.launch import part_of
from ctcasr.ctc.errors import KernelError


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    try:
        nvrtc.library()
    except nvrtc.CudaUnavailable as error:
        pytest.skip(str(error))


def launched() -> set[str]:
    """The kernels of batches of every width."""
    names = set()

    def note(name: str, *_: object) -> None:
        names.add(name)

    for labels in (3, 100, 200, 800, 1500):
        for need_grad in (False, True):
            for classes in (4, 1600, 9000):
                logits = torch.zeros(1, 2, classes)
                targets = torch.ones(labels, dtype=torch.int64)
                lengths = torch.tensor([2, labels, 0])
                geometry = KernelGeometry(1, 2, classes, labels, need_grad)
                run(note, logits, targets, lengths, geometry, 0, None, True)
    return names


@pytest.mark.parametrize("capability", [80, 90])
def test_compiles_for(capability, tmp_path, monkeypatch):
    part = ("PART=2",)
    code = nvrtc.binary(capability, part, folder=tmp_path)
    assert code.startswith(b"\x7fELF")
    monkeypatch.setattr(
        nvrtc, "compile_program", lambda *_, **__: pytest.fail("compiled a second time")
    )
    assert nvrtc.binary(capability, part, folder=tmp_path) == code
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("capability", [75, 90])
def test_every_kernel_lies_in_the_part_that_it_is_looked_for_in(capability, tmp_path):
    for kernel in sorted(launched()):
        code = nvrtc.binary(capability, (f"PART={part_of(kernel)}",), folder=tmp_path)
        assert f".text.{kernel}".encode() in code


def test_a_newer_device_gets_ptx(tmp_path, monkeypatch):
    monkeypatch.setattr(
        nvrtc, "sources", lambda: {"kernels.cu": 'extern "C" __global__ void one() {}'}
    )
    newest = max(nvrtc.architectures())
    text = nvrtc.binary(newest + 10, folder=tmp_path)
    assert f".target sm_{newest}".encode() in text and text.endswith(b"\0")


def test_an_older_device_is_told_so(tmp_path):
    with pytest.raises(nvrtc.CudaUnavailable, match=r"compute capability 1\.0"):
        nvrtc.binary(10, folder=tmp_path)


def test_a_changed_source_is_compiled_again(tmp_path, monkeypatch):
    texts = {"kernels.cu": 'extern "C" __global__ void one(int* p) { *p = 1; }'}
    monkeypatch.setattr(nvrtc, "sources", lambda: texts)
    first = nvrtc.binary(90, folder=tmp_path)
    texts["kernels.cu"] = 'extern "C" __global__ void two(int* p) { *p = 2; }'
    assert b"two" in nvrtc.binary(90, folder=tmp_path) and b"two" not in first


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is soon compiled."""
    text = '#ifndef NAME\n#define NAME one\n#endif\nextern "C" __global__ void NAME() {}'
    monkeypatch.setattr(nvrtc, "sources", lambda: {"kernels.cu": text})


def test_macros_make_another_program(tmp_path, one):
    plain = nvrtc.binary(90, folder=tmp_path)
    for name in ("two", "three"):
        code = nvrtc.binary(90, (f"NAME={name}",), folder=tmp_path)
        assert f".text.{name}".encode() in code and b".text.one" not in code
    assert b".text.one" in plain and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:-9] + bytes(9),
        lambda content: content[32:],
    ],
)
def test_a_damaged_cache_is_compiled_anew_once(damage, tmp_path, monkeypatch, one):
    code = nvrtc.binary(90, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert nvrtc.binary(90, folder=tmp_path) == code
    monkeypatch.setattr(
        nvrtc, "compile_program", lambda *_, **__: pytest.fail("compiled a third time")
    )
    assert nvrtc.binary(90, folder=tmp_path) == code
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_home_there_is_no_cache(monkeypatch, one):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CTCASR_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert nvrtc.cache_folder() is None
    assert nvrtc.binary(90).startswith(b"\x7fELF")


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, one):
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:100])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert nvrtc.binary(90, folder=tmp_path).startswith(b"\x7fELF")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_cache_costs_nothing_but_time(tmp_path, one):
    (tmp_path / "file").write_text("in the way")
    assert nvrtc.binary(90, folder=tmp_path / "file").startswith(b"\x7fELF")


def test_errors_of_the_source_carry_the_log():
    with pytest.raises(KernelError, match=r"broken\.cu\(1\): error"):
        nvrtc.compile_program({"broken.cu": "nonsense;"}, "sm_90", cubin=True)


def test_absence_is_one_clear_sentence(monkeypatch):
    nvrtc.library.cache_clear()
    monkeypatch.setattr(nvrtc, "_candidates", lambda: ["/nowhere/libnvrtc.so"])
    try:
        with pytest.raises(nvrtc.CudaUnavailable, match="nvidia-cuda-nvrtc"):
            nvrtc.library()
    finally:
        nvrtc.library.cache_clear()
