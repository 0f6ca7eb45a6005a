"""What the tests of the watch leave behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

put_aside: dict[str, ModuleType] = {}


@pytest.fixture(scope="module", autouse=True)
def speechbrain_is_put_aside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Its lazy modules raise at whoever looks through sys.modules, as hypothesis does."""
    if request.path.stem in ("test_frameworks", "test_snippets"):
        sys.modules.update(put_aside)
    yield
    for name in [name for name in sys.modules if name.startswith("speechbrain")]:
        put_aside[name] = sys.modules.pop(name)
