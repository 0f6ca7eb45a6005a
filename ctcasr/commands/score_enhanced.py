"""`ctcasr score-enhanced`: is enhanced speech understood better? On anybody's files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.commands.device_flag import add_device_flag, device_from
from ctcasr.commands.out_folder import prepare_out
from ctcasr.commands.progress import progress_bar
from ctcasr.compare.choice import Choice, choose_shares
from ctcasr.compare.eligibility import examine_judge, refuse_wordless
from ctcasr.compare.enhanced import NOISY, EnhancedFolder, open_all
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.judges import load_judges
from ctcasr.compare.memory import Memory
from ctcasr.compare.remarks import (
    empty_rates,
    failed_judges,
    remarks_on_parts,
    remarks_on_trial,
    remarks_on_units,
)
from ctcasr.compare.scene import Scene, dev_and_test, read_scenes
from ctcasr.compare.summary import Setting, Summary, summarise, unit_of
from ctcasr.compare.trial import SHARES, Design, Trial, hold_trial
from ctcasr.scoring.bootstrap import DRAWS, refuse_bad_draws
from ctcasr.show.scene_picture import pictures
from ctcasr.show.score_files import scores, write_rows, write_scores
from ctcasr.show.score_page import write_page
from ctcasr.show.score_table import table
from ctcasr.show.terminal import TextConsole, table_width

REASONS = 5  # for which scenes were left out, that are told


@dataclass(frozen=True)
class Options:
    """How a trial is held.

    `dev_share` of the sources choose the share of noisy sound that is added; 0: nothing is added.
    """

    dev_share: float = 0.3
    draws: int = DRAWS
    seed: int = 0
    metrics: bool = True
    block: str = ""  # field whose values are independent of each other
    device: str | torch.device = "cpu"  # what checkpoints compute on
    pattern: str = ""  # how enhanced files are called, with {id} for the scene; "": as the scene


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr score-enhanced`."""
    parser.add_argument(
        "scenes",
        help="scene list: JSON lines with audio_filepath (noisy), target_filepath, text, ...",
    )
    parser.add_argument(
        "--enhanced",
        action="append",
        required=True,
        metavar="[NAME=]DIR|CHECKPOINT",
        help="folder of enhanced files, list of them (.scp), or an enhancer; may be given several "
        "times",
    )
    parser.add_argument(
        "--pattern",
        default="",
        metavar="NAME",
        help="how enhanced files are called, as '{id}_enh.wav' (default: as the scenes)",
    )
    parser.add_argument(
        "--recogniser",
        action="append",
        required=True,
        metavar="C",
        help="[NAME=] and CHECKPOINT (.pt, .onnx; several with commas: an ensemble), "
        "phones:LEXICON,CHECKPOINT, module:function, file.py:function, "
        "'command:PROGRAM ARGUMENTS' or "
        "bundle:TORCHAUDIO_BUNDLE; may be given several times",
    )
    parser.add_argument(
        "--out", required=True, help="folder for scores.json, rows.csv and page.html"
    )
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="of the sentences: they choose the weight of observation adding, and are not scored "
        "(default 0.3; 0: none)",
    )
    parser.add_argument(
        "--draws", type=int, default=DRAWS, help=f"of the bootstrap, 1000 or more (default {DRAWS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the dev part and the bootstrap")
    parser.add_argument(
        "--block",
        default="",
        metavar="FIELD",
        help="field of the scenes whose values are independent of each other, as noise or source "
        "(default: speakers from 20 on, else source)",
    )
    parser.add_argument("--no-metrics", action="store_true", help="error rates only")
    add_device_flag(parser, default="cpu")


def run(arguments: argparse.Namespace) -> int:
    """Hold the trial and write it down; ValueError or OSError where it cannot be held."""
    options = Options(
        dev_share=arguments.dev_share,
        draws=arguments.draws,
        seed=arguments.seed,
        metrics=not arguments.no_metrics,
        block=arguments.block,
        pattern=arguments.pattern,
        device=device_from(arguments),
    )
    with progress_bar("listening") as progress:
        score_enhanced(
            Path(arguments.scenes),
            arguments.enhanced,
            arguments.recogniser,
            Path(arguments.out),
            options,
            progress,
        )
    return 0


def score_enhanced(
    path: Path,
    enhanced: Sequence[str],
    recognisers: Sequence[str],
    out: Path,
    options: Options | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """The whole protocol: scores.json, rows.csv and page.html in `out`; prints the table.

    Raises:
        ValueError: for scenes, folders or judges that cannot be scored (JudgeError).
    """
    options = options or Options()
    refuse_bad_draws(options.draws, options.seed)
    if not 0 <= options.dev_share < 1:
        raise ValueError(
            f"--dev-share: expected 0 or more, and less than 1; got {options.dev_share}"
        )
    prepare_out(out, ("scores.json", "rows.csv", "page.html"), [path], "score-enhanced")
    scenes, skipped = read_scenes(path)
    dev_scenes, test_scenes = dev_and_test(scenes, options.dev_share, options.seed)
    unit_of(scenes, options.block)  # refused before hours of listening
    judges = load_judges(recognisers, options.device)
    for judge in judges:
        refuse_wordless(judge, test_scenes)
    folders = open_all(enhanced, scenes, out, options.pattern, options.device)
    remarks = remarks_on(judges, scenes, folders)
    trial, setting = listen(dev_scenes, test_scenes, folders, judges, out, options, progress)
    trial.skipped[:0] = skipped
    refuse_silence(trial.part(test_scenes), path, [NOISY, *setting.listeners])
    summary = summarise(trial, test_scenes, setting)
    heard_dev_scenes = trial.heard(dev_scenes)
    heard_test_scenes = trial.heard(test_scenes)
    remarks += remarks_on_parts(heard_dev_scenes, heard_test_scenes)
    remarks += remarks_on_trial(trial.part(test_scenes))
    remarks += remarks_on_units(summary)
    TextConsole(highlight=False, width=table_width()).print(table(summary, trial, remarks))
    facts = {
        "scenes": str(path),
        "test_scenes": len(heard_test_scenes),
        "dev_scenes": len(heard_dev_scenes),
        "draws": options.draws,
        "seed": options.seed,
        "enhanced": {folder.name: facts_of(folder) for folder in folders},
        "recognisers": {judge.name: {"fingerprint": judge.fingerprint} for judge in judges},
        "remarks": remarks,
    }
    write_scores(out / "scores.json", scores(summary, trial, facts))
    write_rows(out / "rows.csv", trial, {scene.id for scene in test_scenes})
    title = f"{', '.join(folder.name for folder in folders)} on {path.stem}"
    drawn = scene_pictures(trial.part(test_scenes), folders[0], judges[0])
    page = write_page(out / "page.html", title, summary, remarks, drawn)
    print(f"details: {out / 'scores.json'}, {out / 'rows.csv'}, {page}")
    return summary


def listen(
    dev_scenes: Sequence[Scene],
    test_scenes: Sequence[Scene],
    folders: Sequence[EnhancedFolder],
    judges: Sequence[Judge],
    out: Path,
    options: Options,
    progress: Callable[[int, int], None],
) -> tuple[Trial, Setting]:
    """The dev part first, under every share; of the test part the share that was chosen."""
    memory = Memory(out)
    names = [folder.name for folder in folders]
    dev_design = Design(folders, judges, dict.fromkeys(names, SHARES), metrics=False)
    plain_design = Design(folders, judges, metrics=options.metrics)
    steps = Steps(progress)
    steps.plan(dev_design.sounds(len(dev_scenes)) + plain_design.sounds(len(test_scenes)))
    trial = hold_trial(dev_scenes, dev_design, steps.add, memory)
    choices = choose_shares(trial, dev_scenes, names, SHARES)
    test_design = Design(
        folders, judges, chosen_shares(choices), options.metrics, chosen_mixtures(choices)
    )
    steps.plan(dev_design.sounds(len(dev_scenes)) + test_design.sounds(len(test_scenes)))
    trial += hold_trial(test_scenes, test_design, steps.add, memory)
    setting = Setting(
        listeners={folder.name: folder.listener for folder in folders},
        judges={judge.name: judge.fingerprint for judge in judges},
        choices=choices,
        draws=options.draws,
        seed=options.seed,
        block=options.block,
    )
    return trial, setting


@dataclass
class Steps:
    """Sounds that are prepared and heard: a judge may take an hour for those of few scenes."""

    progress: Callable[[int, int], None]
    done: int = 0
    total: int = 0

    def plan(self, total: int) -> None:
        """So many in all."""
        self.total = total

    def add(self, sounds: int) -> None:
        """So many more are done."""
        self.done += sounds
        self.progress(self.done, self.total)


def chosen_shares(choices: Sequence[Choice]) -> dict[str, list[float]]:
    """By enhancer, those that any judge chose; 0 and 1 are no mixtures, and heard anyway."""
    shares: dict[str, list[float]] = {}
    for choice in choices:
        of_enhancer = shares.setdefault(choice.enhancer, [])
        if choice.is_mixture and choice.share not in of_enhancer:
            of_enhancer.append(choice.share)
    return shares


def chosen_mixtures(choices: Sequence[Choice]) -> dict[str, list[str]]:
    """By judge, the mixtures that it chose: it hears those of no other."""
    mixtures: dict[str, list[str]] = {}
    for choice in choices:
        if choice.is_mixture:
            mixtures.setdefault(choice.judge, []).append(choice.condition)
    return mixtures


def refuse_silence(trial: Trial, path: Path, conditions: Sequence[str]) -> None:
    """ValueError where a judge failed at all, or heard nothing of one of the conditions."""
    failed = failed_judges(trial)
    if failed:
        raise JudgeError("; ".join(failed))
    empty = empty_rates(trial, conditions)
    if empty:
        raise ValueError(
            f"{path}: {'; '.join(empty)}: there is no rate of nothing; give files that can be "
            "heard and texts with words, or leave these out"
        )
    if trial.hearings:
        return
    reasons = [f"\n  {skip.where}: {skip.reason}" for skip in trial.skipped[:REASONS]]
    raise ValueError(
        f"{path}: expected scenes that can be heard; all {len(trial.skipped)} were left out"
        f"{''.join(reasons)}"
    )


def remarks_on(
    judges: Sequence[Judge], scenes: Sequence[Scene], folders: Sequence[EnhancedFolder]
) -> list[str]:
    """What is to be known about judges and enhancers; JudgeError for one that may not judge."""
    remarks = []
    for judge in judges:
        remarks.extend(examine_judge(judge, scenes, folders))
    for folder in folders:
        if folder.sidecar:
            facts = []
            for name, value in sorted(folder.sidecar.items()):
                if value is not None:
                    facts.append(f"{name} {value}")
            remarks.append(f"{folder.name}: {', '.join(facts)}")
        if folder.unseen:
            remarks.append(f"{folder.name}: enhanced {folder.unseen}")
    return remarks


def facts_of(folder: EnhancedFolder) -> dict[str, Any]:
    """Where an enhancer's files lie, and what its sidecar says."""
    return {"folder": str(folder.folder), "enhanced_by": dict(folder.sidecar)}


def scene_pictures(trial: Trial, folder: EnhancedFolder, judge: Judge) -> list[str]:
    """Spectrograms of a few scenes, as HTML; a sentence where there is nothing to draw with."""
    try:
        return pictures(trial.hearings, folder, judge.name)
    except ImportError as error:
        return [f"<p>no spectrograms: {error} (pip install 'ctcasr[plot]')</p>"]
