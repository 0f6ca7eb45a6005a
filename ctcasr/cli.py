"""The `ctcasr` command."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ctcasr.commands.decoder_flags import add_decoder_flags, decoder_from, recogniser_from
from ctcasr.run_cli import run_cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. What a user can mend is told in a sentence, not in a traceback."""
    parser = argparse.ArgumentParser(
        prog="ctcasr",
        description="Train CTC speech recognisers and understand what the training does.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train", help="run a recipe: " + ", ".join(recipe_names()), add_help=False
    )
    train.add_argument("recipe")
    train.add_argument("flags", nargs=argparse.REMAINDER)

    transcribe = commands.add_parser("transcribe", help="write what is said in sound files")
    transcribe.add_argument("checkpoint")
    transcribe.add_argument("audio", nargs="+")
    transcribe.add_argument(
        "--json", action="store_true", help="one JSON object per file, with word times"
    )
    add_decoder_flags(transcribe)

    evaluate = commands.add_parser(
        "evaluate", help="error rates (or accuracy) of a checkpoint on a manifest"
    )
    evaluate.add_argument("checkpoint")
    evaluate.add_argument("manifest")
    evaluate.add_argument(
        "--out", required=True, help="folder for scores.json and what was found, line by line"
    )
    add_decoder_flags(evaluate)

    export = commands.add_parser(
        "export",
        help="write a recogniser or a classifier for another runtime, run it there and measure it",
    )
    export.add_argument("checkpoint")
    export.add_argument(
        "--to", required=True, choices=("onnx", "litert"), help="litert: classifiers only"
    )
    export.add_argument("--out", required=True, help="folder for the files and their report")
    export.add_argument(
        "--test",
        metavar="MANIFEST",
        help="clips that every exported file is run on (a classifier needs them)",
    )
    export.add_argument(
        "--calibrate",
        metavar="MANIFEST",
        help="clips that set the ranges of static quantisation (none: it is left out)",
    )
    export.add_argument(
        "--against",
        metavar="CHECKPOINT",
        help="another classifier, exported and measured in the same run",
    )

    _add_doctor(
        commands.add_parser(
            "doctor",
            help="what is wrong with a corpus before training, and a page about a run after it",
        )
    )

    card = commands.add_parser(
        "card",
        help="the system card of a checkpoint or preset: size, multiply-adds, latency, memory, training",
    )
    enhance = commands.add_parser(
        "enhance", help="take the noise out of a sound file, or of every one in a folder"
    )
    _add_enhance(enhance)
    if "card" in (
        argv if argv is not None else sys.argv[1:]
    ):  # what it counts with is heavy to load
        from ctcasr.commands.card import add_arguments

        add_arguments(card)

    _add_score_enhanced(
        commands.add_parser(
            "score-enhanced", help="is enhanced speech understood better? on anybody's files"
        )
    )

    tensorboard = commands.add_parser(
        "tensorboard", help="write the records of a run as TensorBoard event files"
    )
    tensorboard.add_argument("run", metavar="RUN", help="a run directory")
    tensorboard.add_argument(
        "--out", metavar="DIR", help="folder for the event files (default: RUN/tensorboard)"
    )

    args = parser.parse_args(argv)
    return run_cli(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.command == "train":
        load_recipe(args.recipe).main(args.flags)
        return 0
    if args.command == "doctor":
        from ctcasr.commands.doctor import run

        return run(args)
    if args.command == "export":
        from ctcasr.commands.export import export_command

        return export_command(args)
    if args.command == "card":
        from ctcasr.commands.card import run as show_card

        return show_card(args)
    if args.command == "enhance":
        return _enhance(args)
    if args.command == "tensorboard":
        from ctcasr.show import write_events

        print(f"tensorboard --logdir {write_events(args.run, args.out)}")
        return 0
    if args.command == "score-enhanced":
        from ctcasr.commands.score_enhanced import run as score_enhanced

        return score_enhanced(args)
    return _transcribe(args) if args.command == "transcribe" else _evaluate(args)


def recipe_names() -> list[str]:
    """The recipes that this installation ships."""
    folder = _recipes()
    return (
        sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
        if folder
        else []
    )


def load_recipe(name: str) -> ModuleType:
    """The module of a shipped recipe; ValueError names those that there are."""
    folder, names = _recipes(), recipe_names()
    if folder is None or name not in names:
        raise ValueError(
            f"expected a recipe ({', '.join(names) or 'none is installed'}); got {name!r}"
        )
    # The module must be importable by its name, so that worker processes that are spawned find its functions.
    sys.path.append(str(folder))
    return importlib.import_module(name)


def _recipes() -> Path | None:
    """The folder of the recipes: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next((p for p in (package / "recipes", package.parent / "recipes") if p.is_dir()), None)


def _add_score_enhanced(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenes",
        help="scene list: JSON lines with audio_filepath (noisy), target_filepath, text, ...",
    )
    parser.add_argument(
        "--enhanced",
        action="append",
        required=True,
        metavar="[NAME=]DIR|CHECKPOINT",
        help="folder of enhanced files, or an enhancer; may be given several times",
    )
    parser.add_argument(
        "--recogniser",
        action="append",
        required=True,
        metavar="C",
        help="[NAME=]CHECKPOINT, module:function, or bundle:TORCHAUDIO_BUNDLE; may be given several times",
    )
    parser.add_argument(
        "--out", required=True, help="folder for scores.json, rows.csv and page.html"
    )
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="of the sentences: they choose the weight of observation adding, and are not scored (default 0.3; 0: none)",
    )
    parser.add_argument(
        "--draws", type=int, default=10_000, help="of the bootstrap, at least 1000 (default 10000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the dev part and the bootstrap")
    parser.add_argument("--no-metrics", action="store_true", help="error rates only")


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest",
        nargs="?",
        help="manifest to examine before training; exit status 1 where it would hurt",
    )
    parser.add_argument("--run", metavar="DIR", help="write DIR/doctor.html about a run instead")
    parser.add_argument(
        "--against",
        metavar="VALID",
        help="the manifest that will be scored: what does it share with the first?",
    )
    net = parser.add_mutually_exclusive_group()
    net.add_argument(
        "--net",
        default="default",
        metavar="SPEC",
        help="preset or .toml whose frames are counted (default: default)",
    )
    net.add_argument(
        "--checkpoint", metavar="C", help="a checkpoint, whose network and alphabet are taken"
    )
    parser.add_argument(
        "--text", default="english38", help="english38, english29 or pieces:N (default: english38)"
    )
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument(
        "--all-audio", action="store_true", help="decode every file (the default up to 20 hours)"
    )
    how_much.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="decode N files, and read only the headers of the others",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="files that are read at once (default: one per core)",
    )
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint")
    parser.add_argument("source", metavar="IN", help="a sound file, or a folder of them")
    parser.add_argument("out", metavar="OUT", help="a sound file, or a folder")
    parser.add_argument(
        "--video",
        metavar="V",
        help="video of the speaker, or a folder with videos of the same names",
    )
    parser.add_argument("--device", default="cpu")


def _enhance(args: argparse.Namespace) -> int:
    from ctcasr.batch import Skip
    from ctcasr.enhance.enhancer import Enhancer, enhance_tree

    written = failed = 0
    enhancer, video = (
        Enhancer.load(args.checkpoint, args.device),
        Path(args.video) if args.video else None,
    )
    for done in enhance_tree(enhancer, Path(args.source), Path(args.out), video):
        if isinstance(done, Skip):
            failed += 1
            print(f"ctcasr: {done.reason}", file=sys.stderr)
        else:
            written += 1
    print(f"{written} files enhanced, {failed} could not be read: {args.out}")
    return 1 if failed else 0


def _transcribe(args: argparse.Namespace) -> int:
    from ctcasr.data import AudioError

    recogniser, failed = recogniser_from(args), 0
    decoder = decoder_from(args, recogniser.tokenizer)
    for path in args.audio:
        try:
            (found,) = recogniser.transcribe(path, decoder=decoder)
        except AudioError as error:
            failed += 1
            print(f"ctcasr: {error}", file=sys.stderr)
            continue
        if args.json:
            words = [
                {"word": w.text, "start_s": round(w.start_s, 3), "end_s": round(w.end_s, 3)}
                for w in found.words
            ]
            print(
                json.dumps(
                    {
                        "audio_filepath": path,
                        "text": found.text,
                        "score": found.score,
                        "words": words,
                    },
                    ensure_ascii=False,
                )
            )
        else:
            print(found.text if len(args.audio) == 1 else f"{path}\t{found.text}")
    return 1 if failed else 0


def _evaluate(args: argparse.Namespace) -> int:
    from ctcasr import checkpoint
    from ctcasr.classify import evaluate_classes
    from ctcasr.classify.classifier import Classifier
    from ctcasr.data import read_manifest
    from ctcasr.recognise import evaluate

    if (
        not args.checkpoint.endswith(".onnx")
        and checkpoint.load(args.checkpoint).get("kind") == Classifier.KIND
    ):
        scored = evaluate_classes(
            Classifier.load(args.checkpoint), read_manifest(args.manifest).utterances
        )
        print(f"{scored}\ndetails: {scored.write(Path(args.out)) / 'scores.json'}")
        return 0
    recogniser = recogniser_from(args)
    result = evaluate(
        recogniser,
        read_manifest(args.manifest).utterances,
        decoder=decoder_from(args, recogniser.tokenizer),
    )
    result.write(Path(args.out))
    words, chars = result.tally.words, result.tally.chars
    print(
        f"WER {100 * words.rate:.2f} % ({words.substitutions} substitutions, {words.deletions} deletions, {words.insertions} insertions "
        f"in {words.total} words), CER {100 * chars.rate:.2f} %, {result.tally.utterances} utterances, {len(result.skipped)} skipped"
    )
    for said, written, count in (
        (s or "-", w or "-", n) for (s, w), n in words.confusions.most_common(5)
    ):
        print(f"  {count:4d} x  {said} -> {written}")
    print(f"details: {Path(args.out) / 'scores.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
