"""The version of a checkout that nobody installed."""

from __future__ import annotations

from importlib import metadata

import pytest

import ctcasr


def test_a_checkout_that_is_only_on_the_path_has_a_version_too(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert ctcasr.__version__ == "not installed"
