"""Which version of this library runs."""

from __future__ import annotations

from importlib import metadata


def installed_version() -> str:
    """The version that is installed; a checkout that is only on the path has none.

    Example:
        >>> bool(installed_version())
        True
    """
    try:
        return metadata.version("ctcasr")
    except metadata.PackageNotFoundError:
        return "not installed"
