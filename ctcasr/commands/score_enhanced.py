"""`ctcasr score-enhanced`: arguments in, exit status out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError, load_judges
from ctcasr.compare.memory import Memory
from ctcasr.compare.scene import Scene, dev_and_test, read_scenes
from ctcasr.compare.summary import Summary, choose, summarise
from ctcasr.compare.trial import SHARES, hold
from ctcasr.data.provenance import fingerprint
from ctcasr.scoring.bootstrap import DRAWS
from ctcasr.show.enhanced_picture import pictures
from ctcasr.show.score_page import write_page
from ctcasr.show.score_report import scores, table, write_rows, write_scores


@dataclass(frozen=True)
class Options:
    """How a trial is held."""

    dev_share: float = (
        0.3  # of the sources, to choose the share of noisy sound by; 0: nothing is added
    )
    draws: int = DRAWS
    seed: int = 0
    metrics: bool = True


def run(args: argparse.Namespace) -> int:
    """Hold the trial and write it down; ValueError or OSError where it cannot be held."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    options = Options(args.dev_share, args.draws, args.seed, not args.no_metrics)
    columns = (TextColumn("listening"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=None)
        score_enhanced(
            Path(args.scenes),
            args.enhanced,
            args.recogniser,
            out,
            options,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    return 0


def score_enhanced(
    path: Path,
    enhanced: Sequence[str],
    recognisers: Sequence[str],
    out: Path,
    options: Options | None = None,
    progress: Any = lambda done, total: None,
) -> Summary:
    """The whole protocol: scores.json, rows.csv and page.html in `out`; prints the table."""
    options = options or Options()
    if not 0 <= options.dev_share < 1:
        raise ValueError(f"dev-share: expected within 0..1; got {options.dev_share}")
    out.mkdir(parents=True, exist_ok=True)
    scenes, skipped = read_scenes(path)
    dev, test = dev_and_test(scenes, options.dev_share, options.seed)
    judges = load_judges(recognisers)
    folders = [open_enhanced(name, scenes, out, alone=len(enhanced) == 1) for name in enhanced]
    _refuse_same_names(folders)
    remarks = [remark for judge in judges for remark in examine(judge, scenes, folders)]
    remarks += [
        f"{f.name}: {', '.join(f'{k} {v}' for k, v in sorted(f.by.items()) if v is not None)}"
        for f in folders
        if f.by
    ]

    names = [folder.name for folder in folders]
    # The dev part first, under every share; of the test part nobody hears more than the shares that were chosen.
    memory = Memory(out / "heard.jsonl")
    trial = hold(
        dev, folders, judges, SHARES, False, lambda done: progress(done, len(scenes)), memory
    )
    choices = choose(trial, dev, names, SHARES)
    shares = sorted({choice.share for choice in choices if 0 < choice.share < 1})
    trial += hold(
        test,
        folders,
        judges,
        shares,
        options.metrics,
        lambda done: progress(len(dev) + done, len(scenes)),
        memory,
    )
    trial.skipped[:0] = skipped
    summary = summarise(
        trial,
        test,
        {f.name: str(f.by.get("listener") or "") for f in folders},
        {j.name: j.fingerprint for j in judges},
        choices,
        options.draws,
        options.seed,
    )
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(
        table(summary, trial, remarks)
    )
    facts = {
        "scenes": str(path),
        "test_scenes": len(test),
        "dev_scenes": len(dev),
        "draws": options.draws,
        "seed": options.seed,
        "enhanced": {f.name: {"folder": str(f.folder), "enhanced_by": f.by} for f in folders},
        "recognisers": {j.name: {"fingerprint": j.fingerprint} for j in judges},
        "remarks": remarks,
    }
    ids = {scene.id for scene in test}
    try:
        drawn = pictures(
            [h for h in trial.hearings if h.scene.id in ids], folders[0], judges[0].name
        )
    except ImportError as error:
        drawn = [f"<p>no spectrograms: {error} (pip install 'ctcasr[plot]')</p>"]
    write_scores(out / "scores.json", scores(summary, trial, facts))
    write_rows(out / "rows.csv", trial, ids)
    page = write_page(
        out / "page.html", f"{', '.join(names)} on {path.stem}", summary, remarks, drawn
    )
    print(f"details: {out / 'scores.json'}, {out / 'rows.csv'}, {page}")
    return summary


def open_enhanced(name: str, scenes: Sequence[Scene], out: Path, alone: bool) -> EnhancedFolder:
    """A folder as it is; a checkpoint after enhancing every scene with it, into `out`/enhanced."""
    label, _, place = name.rpartition("=")
    path = Path(place)
    label = label or ("enhanced" if alone else path.parent.name if path.is_file() else path.name)
    if not path.is_file():
        return EnhancedFolder.open(path, label)
    from ctcasr.enhance.enhancer import enhance_files

    folder = out / "enhanced" / label
    enhance_files(path, [scene.noisy for scene in scenes], folder)
    return EnhancedFolder.open(folder, label)


def examine(judge: Judge, scenes: Sequence[Scene], folders: Sequence[EnhancedFolder]) -> list[str]:
    """What is to be known about a judge. JudgeError where it was trained on the very files that it shall judge."""
    remarks = [f"{judge.name}: {remark}" for remark in judge.remarks]
    if judge.heard:
        for folder in folders:
            known = [
                path
                for paths in folder.files.values()
                for path in paths
                if fingerprint(path) in judge.heard
            ]
            if known:
                raise JudgeError(
                    f"{judge.name}: expected a recogniser that was never trained on enhanced speech; it was trained on "
                    f"{known[0]} and {len(known) - 1} other files of {folder.name}"
                )
        known_scenes = sum(any(mark in judge.heard for mark in _marks(scene)) for scene in scenes)
        if known_scenes:
            remarks.append(
                f"{judge.name}: was trained on the recordings of {known_scenes} of these {len(scenes)} scenes; "
                "its error rates here are no measure of how well it hears others"
            )
        known_noises = sum(
            scene.noisy.extra.get("seen") is False
            and scene.noisy.extra.get("interferer_fingerprint") in judge.heard
            for scene in scenes
        )
        if known_noises:
            remarks.append(
                f"{judge.name}: was trained with the very interferers of {known_noises} scenes that are called unseen"
            )
    for folder in folders:
        if judge.fingerprint and folder.by.get("listener") == judge.fingerprint:
            remarks.append(
                f"{folder.name}: was trained to please {judge.name}, which judges it here; take another recogniser's word"
            )
    return remarks


def _marks(scene: Scene) -> list[str]:
    """Fingerprints of the files of a scene, and of the speech it was made of."""
    made_of = scene.noisy.extra.get("speech_fingerprint")
    files = [
        path
        for path in (scene.noisy.audio_filepath, scene.clean)
        if path is not None and path.is_file()
    ]
    return [fingerprint(path) for path in files] + ([made_of] if isinstance(made_of, str) else [])


def _refuse_same_names(folders: Sequence[EnhancedFolder]) -> None:
    names = [folder.name for folder in folders] + ["clean", "noisy"]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"expected a name of its own for each enhancer, other than clean and noisy; got {', '.join(twice)} twice: "
            "give NAME=DIR"
        )
