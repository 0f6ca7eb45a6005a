"""The kernels compile for the architectures in use, and the disk keeps them. Needs no GPU."""

from __future__ import annotations

import pytest

from ctcasr.ctc.cuda import nvrtc


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    try:
        nvrtc.library()
    except nvrtc.CudaUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("capability", [80, 90])
def test_compiles_for(capability, tmp_path, monkeypatch):
    code = nvrtc.binary(capability, tmp_path)
    assert code.startswith(b"\x7fELF")
    wide = [f"{kernel}_{q}" for kernel in ("chains", "finish", "occupancies") for q in (2, 4, 8)]
    for kernel in ("prepare", "emissions", "gradient", *wide):
        assert f".text.{kernel}".encode() in code
    monkeypatch.setattr(
        nvrtc, "compile_program", lambda *_, **__: pytest.fail("compiled a second time")
    )
    assert nvrtc.binary(capability, tmp_path) == code
    assert len(list(tmp_path.iterdir())) == 1


def test_a_newer_device_gets_ptx(tmp_path, monkeypatch):
    monkeypatch.setattr(
        nvrtc, "sources", lambda: {"kernels.cu": 'extern "C" __global__ void one() {}'}
    )
    newest = max(nvrtc.architectures())
    text = nvrtc.binary(newest + 10, tmp_path)
    assert f".target sm_{newest}".encode() in text and text.endswith(b"\0")


def test_an_older_device_is_told_so(tmp_path):
    with pytest.raises(nvrtc.CudaUnavailable, match=r"compute capability 1\.0"):
        nvrtc.binary(10, tmp_path)


def test_a_changed_source_is_compiled_again(tmp_path, monkeypatch):
    texts = {"kernels.cu": 'extern "C" __global__ void one(int* p) { *p = 1; }'}
    monkeypatch.setattr(nvrtc, "sources", lambda: texts)
    first = nvrtc.binary(90, tmp_path)
    texts["kernels.cu"] = 'extern "C" __global__ void two(int* p) { *p = 2; }'
    assert b"two" in nvrtc.binary(90, tmp_path) and b"two" not in first


def test_an_unwritable_cache_costs_nothing_but_time(tmp_path, monkeypatch):
    monkeypatch.setattr(
        nvrtc, "sources", lambda: {"kernels.cu": 'extern "C" __global__ void one() {}'}
    )
    (tmp_path / "file").write_text("in the way")
    assert nvrtc.binary(90, tmp_path / "file").startswith(b"\x7fELF")


def test_errors_of_the_source_carry_the_log():
    with pytest.raises(RuntimeError, match=r"broken\.cu\(1\): error"):
        nvrtc.compile_program({"broken.cu": "nonsense;"}, "sm_90", cubin=True)


def test_absence_is_one_clear_sentence(monkeypatch):
    nvrtc.library.cache_clear()
    monkeypatch.setattr(nvrtc, "_candidates", lambda: ["/nowhere/libnvrtc.so"])
    try:
        with pytest.raises(nvrtc.CudaUnavailable, match="nvidia-cuda-nvrtc"):
            nvrtc.library()
    finally:
        nvrtc.library.cache_clear()
