"""ARPA files: n-grams with their log10 probabilities and back-off weights, as text, perhaps packed.

The format is that of Doug Paul's tools; SRILM and KenLM write it:
https://www.speech.sri.com/projects/srilm/manpages/ngram-format.5.html
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from ctcasr.kernels.atomic import write_text

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
_SPECIAL = {name.casefold(): name for name in (BEGIN, END, UNKNOWN)}  # whatever their case

Gram = tuple[str, ...]

_GZIP = b"\x1f\x8b"
_KENLM = b"mmap lm http://kheafield.com/code"
_OTHER_FORMATS = {
    _KENLM: "a binary file of KenLM, which cannot be turned back; "
    "give the ARPA file that it was built from",
    b"BZh": "packed by bzip2; unpack it, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz; unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd; unpack it, or pack it by gzip",
    b"PK\x03\x04": "a zip archive; unpack it",
    b"\xff\xfe": "UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
}
_ROUNDING = 1e-3  # by so much a log10 probability may be above 0
_LONGEST_MAGIC = max(len(magic) for magic in _OTHER_FORMATS)


class ArpaError(ValueError):
    """A language model that cannot be read or used; names file and line."""


@dataclass
class _Sections:
    """What was read of a file so far."""

    grams: dict[Gram, tuple[float, float]] = field(default_factory=dict)
    promised: dict[int, int] = field(default_factory=dict)  # order: number of n-grams
    order: int = 0  # of the section that is read; 0: before, or in the header
    closed: bool = False  # \end\ was the last mark

    def take(self, line: str, where: str) -> None:
        """One line without white space at its ends; ArpaError for a wrong one."""
        if line.startswith("\\"):
            self._mark(line, where)
        elif line.startswith("ngram ") and not self.order:
            self._promise(line, where)
        elif line and self.order:
            self._gram(line, where)

    def _mark(self, line: str, where: str) -> None:
        self.closed = line == "\\end\\"
        self.order = 0
        if not line.endswith("-grams:"):
            return
        number = line[1:].split("-")[0]
        if not number.isdecimal() or int(number) not in self.promised:
            orders = ", ".join(map(str, self.promised)) or "none"
            raise ArpaError(
                f"{where}: expected the n-grams of an order that the header names ({orders}); "
                f"got {line!r}"
            )
        self.order = int(number)

    def _promise(self, line: str, where: str) -> None:
        order, _, count = line.removeprefix("ngram ").partition("=")
        if not order.strip().isdecimal() or not count.strip().isdecimal() or int(order) < 1:
            raise ArpaError(f"{where}: expected as 'ngram 1=1234'; got {line!r}")
        self.promised[int(order)] = int(count)

    def _gram(self, line: str, where: str) -> None:
        ngram, values = _fields(line, self.order, where)
        if ngram in self.grams:
            raise ArpaError(f"{where}: expected each n-gram once; got {' '.join(ngram)!r} again")
        self.grams[ngram] = values


def read_arpa(path: Path | str) -> tuple[int, dict[Gram, tuple[float, float]]]:
    """Order and n-grams (log10 probability, log10 back-off weight) of an ARPA file.

    <s>, </s> and <unk> are known in whatever case they are written (<UNK>). A file packed by gzip
    is unpacked, whatever its name.

    Raises:
        ArpaError: where there is no file, or another kind of file, encoding or n-gram count.
    """
    path = Path(path)
    _check_kind(path)
    sections = _Sections()
    for number, line in _lines(path):
        sections.take(line, f"{path}:{number}")
    if 1 not in sections.promised or not sections.closed:
        raise ArpaError(
            f"{path}: expected \\data\\, n-grams and \\end\\; the file is no ARPA file, or it is "
            "truncated"
        )
    for order, promised in sections.promised.items():
        count = sum(len(ngram) == order for ngram in sections.grams)
        if count != promised:
            raise ArpaError(
                f"{path}: expected {promised} n-grams of order {order}, as its header says; "
                f"got {count}"
            )
    return max(sections.promised), sections.grams


def is_kenlm_binary(path: Path | str) -> bool:
    """Is the file one that KenLM's build_binary wrote?"""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_KENLM)) == _KENLM


def write_arpa(path: Path | str, by_order: Iterable[Mapping[Gram, tuple[float, float]]]) -> Path:
    """An ARPA file of the n-grams of order 1, 2, ..., whole or not at all; returns its path."""
    path = Path(path)
    write_text(path, "\n".join(_written(list(by_order))) + "\n", shared=True)
    return path


def _written(by_order: list[Mapping[Gram, tuple[float, float]]]) -> Iterator[str]:
    yield "\\data\\"
    for order, grams in enumerate(by_order, start=1):
        yield f"ngram {order}={len(grams)}"
    for order, grams in enumerate(by_order, start=1):
        yield ""
        yield f"\\{order}-grams:"
        for ngram in sorted(grams):
            probability, back_off = grams[ngram]
            line = f"{probability:.7g}\t{' '.join(ngram)}"
            if order < len(by_order):
                line += f"\t{back_off:.7g}"
            yield line
    yield ""
    yield "\\end\\"


def _check_kind(path: Path) -> None:
    if not path.is_file():
        there = "a folder" if path.is_dir() else "none"
        raise ArpaError(
            f"{path}: expected an ARPA file; there is {there} (tools/train_lm.py writes one)"
        )
    with path.open("rb") as file:
        beginning = file.read(_LONGEST_MAGIC)
    for magic, what in _OTHER_FORMATS.items():
        if beginning.startswith(magic):
            raise ArpaError(f"{path}: expected an ARPA file, which is text; this is {what}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without white space at their ends, of a file that may be packed."""
    number = 0
    with _opened(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                yield number, line.decode(encoding).strip()
        except UnicodeDecodeError as error:
            raise ArpaError(
                f"{path}:{number}: expected UTF-8; got another encoding ({error.reason}); "
                "convert the file: iconv -f ISO-8859-1 -t UTF-8 (or what it was written in)"
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise ArpaError(f"{path}: expected a whole gzip file; {error}") from error


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    if packed:
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _fields(line: str, order: int, where: str) -> tuple[Gram, tuple[float, float]]:
    """An n-gram with its log10 probability and its log10 back-off weight (0 where it has none)."""
    fields = line.split()
    if len(fields) not in (order + 1, order + 2):
        raise _wrong_line(line, order, where)
    back_off = fields[order + 1] if len(fields) == order + 2 else "0"
    try:
        values = float(fields[0]), float(back_off)
    except ValueError:
        raise _wrong_line(line, order, where) from None
    probability, weight = values
    if not probability <= _ROUNDING or not weight < math.inf:  # NaN is neither
        raise _wrong_line(line, order, where)
    ngram = tuple(_SPECIAL.get(word.casefold(), word) for word in fields[1 : order + 1])
    return ngram, values


def _wrong_line(line: str, order: int, where: str) -> ArpaError:
    words = "one word" if order == 1 else f"{order} words"
    return ArpaError(
        f"{where}: expected a log10 probability (0 or less), {words} and perhaps a back-off "
        f"weight; got {line!r}"
    )
