"""Texts from a file, whichever it is: the texts of a manifest, or the lines of a text file."""

from __future__ import annotations

from pathlib import Path

from ctcasr.data.manifest import is_manifest, read_manifest


def read_lines(path: Path | str) -> list[str]:
    """The texts of a manifest's lines ("" where a line has none), or the lines of a text file.

    Raises:
        ManifestError: for a manifest with a broken line.
        ValueError: where there is no file, or not UTF-8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "texts.txt"
        >>> path.write_text("lay blue\\nset red\\n")
        17
        >>> read_lines(path)
        ['lay blue', 'set red']
    """
    path = Path(path)
    if is_manifest(path):
        return [utterance.text or "" for utterance in read_manifest(path)]
    if not path.is_file():
        there = "a folder" if path.is_dir() else "nothing"
        raise ValueError(f"{path}: expected a manifest or a text file; found {there} there")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected texts in UTF-8; {error}; convert the file") from error
