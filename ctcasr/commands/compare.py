"""`ctcasr compare`: which of several systems is better? On result files of any scorer."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from ctcasr.commands.out_folder import prepare_out
from ctcasr.compare.comparison import Comparison, ComparisonSetting, compare_systems
from ctcasr.compare.formats import Reader, own_name
from ctcasr.compare.normalisers import DEFAULT, NONE
from ctcasr.compare.results import System, label_of, references_of
from ctcasr.compare.strata import UTTERANCE
from ctcasr.scoring.bootstrap import DRAWS, refuse_bad_draws
from ctcasr.show.comparison_files import FILES, PAGE, write_comparison
from ctcasr.show.comparison_page import write_comparison_page
from ctcasr.show.comparison_table import comparison_table
from ctcasr.show.terminal import TextConsole, table_width

ROLES = ("id", "hypothesis", "reference", "system")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr compare`."""
    parser.add_argument(
        "results",
        nargs="+",
        metavar="[NAME=]FILE",
        help="results of a system: hypotheses.jsonl, NeMo manifest, id<TAB>text, Kaldi text, .trn, "
        ".stm, .ctm, SegLST, versa's JSON lines, URGENT's rows, .csv, rows.csv of score-enhanced",
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        help="what was said, in any of these formats (default: in the files of results)",
    )
    parser.add_argument(
        "--manifest", metavar="FILE", help="JSON lines or CSV with more fields of the utterances"
    )
    parser.add_argument("--out", required=True, help="folder for scores.json, tables and page.html")
    texts = parser.add_argument_group("texts")
    texts.add_argument(
        "--normaliser",
        default=DEFAULT,
        metavar="N",
        help="none, ctcasr, whisper_basic, whisper_english, nemo_english or module:function "
        f"(default {DEFAULT})",
    )
    texts.add_argument(
        "--sensitivity",
        default=NONE,
        metavar="N,N",
        help=f"normalisers whose ranking is told besides (default {NONE})",
    )
    fields = parser.add_argument_group("fields and systems")
    fields.add_argument(
        "--strata",
        default="",
        metavar="FIELD,FIELD",
        help="fields by which rates are told (default: speaker, snr_db, noise and the like)",
    )
    fields.add_argument(
        "--block",
        default="",
        metavar="FIELD",
        help="field whose values are independent of each other, as speaker, noise or session "
        f"(default: speakers from 20 on, else source, else {UTTERANCE})",
    )
    fields.add_argument(
        "--columns",
        default="",
        metavar="ROLE=NAME,...",
        help=f"names of the fields that hold {', '.join(ROLES)}",
    )
    fields.add_argument(
        "--only",
        default="",
        metavar="NAME,NAME",
        help="systems of files that hold several, as 'R1: *': each more is in the family of tests",
    )
    fields.add_argument(
        "--without", default="", metavar="NAME,NAME", help="systems to leave out, as '*: clean'"
    )
    statistics = parser.add_argument_group("statistics")
    statistics.add_argument(
        "--find",
        type=float,
        metavar="POINTS",
        help="difference of WER in points: how many utterances would show it (default: that seen)",
    )
    statistics.add_argument(
        "--draws", type=int, default=DRAWS, help=f"of the bootstrap, 1000 or more (default {DRAWS})"
    )
    statistics.add_argument("--seed", type=int, default=0, help="of the bootstrap")


def run(arguments: argparse.Namespace) -> int:
    """Compare, write, print; ValueError or OSError where something cannot be read."""
    if arguments.find is not None and not 0 < arguments.find <= 100:
        raise ValueError(
            f"--find: expected points of WER, more than 0 and at most 100; got {arguments.find:g}"
        )
    refuse_bad_draws(arguments.draws, arguments.seed)
    setting = ComparisonSetting(
        normaliser=arguments.normaliser,
        block=arguments.block,
        strata=listed(arguments.strata),
        draws=arguments.draws,
        seed=arguments.seed,
    )
    wanted = None if arguments.find is None else arguments.find / 100
    compare(
        arguments.results,
        Path(arguments.out),
        setting,
        reference=arguments.reference,
        manifest=arguments.manifest,
        columns=columns_of(arguments.columns),
        sensitivity=listed(arguments.sensitivity),
        only=listed(arguments.only),
        without=listed(arguments.without),
        wanted=wanted,
    )
    return 0


def compare(
    results: Sequence[str],
    out: Path,
    setting: ComparisonSetting | None = None,
    *,
    reference: str | None = None,
    manifest: str | None = None,
    columns: dict[str, str] | None = None,
    sensitivity: Sequence[str] = (),
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    wanted: float | None = None,
) -> Comparison:
    """The whole comparison of [NAME=]FILE results: files in `out`; prints the tables.

    Raises:
        ValueError: for files that cannot be read or compared.
    """
    setting = setting or ComparisonSetting()
    inputs = [label_of(place)[1] for place in results]
    inputs += [place for place in (reference, manifest) if place is not None]
    prepare_out(out, (*FILES, PAGE), inputs, "compare")
    reader = Reader(columns or {})
    given = [] if reference is None else reader.references(Path(reference))
    facts = [] if manifest is None else Reader(columns or {}).references(Path(manifest))
    systems: list[System] = []
    for name, path in labels_of(results):
        systems += reader.systems(path, name)
    systems = chosen_systems(systems, only, without)
    references = references_of(systems, given, facts)
    comparison = compare_systems(systems, references, setting, sensitivity)
    TextConsole(highlight=False, width=table_width()).print(
        comparison_table(comparison, setting, wanted)
    )
    paths = write_comparison(out, comparison, setting)
    title = " against ".join(comparison.systems) if len(systems) < 4 else f"{len(systems)} systems"
    page = write_comparison_page(out / PAGE, title, comparison, setting, wanted)
    print(f"details: {', '.join(str(path) for path in (*paths, page))}")
    return comparison


def chosen_systems(
    systems: Sequence[System], only: Sequence[str], without: Sequence[str]
) -> list[System]:
    """Those whose names a pattern of `only` fits (all without one) and none of `without`.

    Raises:
        ValueError: for a pattern that fits none.
    """
    names = [system.name for system in systems]
    for pattern in (*only, *without):
        if not fnmatch.filter(names, pattern):
            raise ValueError(
                f"expected the name of a system, or a pattern of names; {pattern!r} is none of "
                f"{', '.join(names)}"
            )
    chosen = []
    for system in systems:
        is_wanted = not only or fits(system.name, only)
        if is_wanted and not fits(system.name, without):
            chosen.append(system)
    return chosen


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of some patterns, where * stands for anything.

    Example:
        >>> fits("R1: clean", ["*: clean"]), fits("R1: noisy", ["*: clean"])
        (True, False)
    """
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def labels_of(places: Sequence[str]) -> list[tuple[str, Path]]:
    """NAME and FILE of each; files that would be called alike by what tells their paths apart.

    Example:
        >>> [name for name, _ in labels_of(["a/valid/text.trn", "b/valid/text.trn"])]
        ['a', 'b']
        >>> [name for name, _ in labels_of(["runs/a/valid/text.trn", "runs/valid/text.trn"])]
        ['runs/a', 'runs']
    """
    labels = [(name, Path(path)) for name, path in map(label_of, places)]
    names = [name or own_name(path) for name, path in labels]
    alike = [
        path
        for (name, path), own in zip(labels, names, strict=True)
        if not name and names.count(own) > 1
    ]
    apart = dict(zip(alike, _apart(alike), strict=True))
    return [(name or apart.get(path, ""), path) for name, path in labels]


def _apart(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders and the names that all of them share; something is left of each."""
    parts = [list(path.resolve().parts) for path in paths]
    for end in (-1, 0):
        while all(len(names) > 1 for names in parts) and len({names[end] for names in parts}) == 1:
            for names in parts:
                del names[end]
    return ["/".join(names) for names in parts]


def listed(text: str) -> list[str]:
    """Names with commas between."""
    return [name.strip() for name in text.split(",") if name.strip()]


def columns_of(text: str) -> dict[str, str]:
    """Names of columns by role, from `id=uid,hypothesis=asr`.

    Raises:
        ValueError: for an unknown role.
    """
    columns = {}
    for entry in listed(text):
        role, _, name = entry.partition("=")
        if role not in ROLES or not name:
            raise ValueError(f"--columns: expected {' or '.join(ROLES)} = a name; got {entry!r}")
        columns[role] = name
    return columns
