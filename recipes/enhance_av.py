"""Train an audio-visual enhancer: like recipes/enhance.py, with the speaker's video.

What is the video worth?

python recipes/enhance_av.py --train TRAIN.jsonl --noise NOISE.jsonl --valid SCENES.jsonl \\
    --lips runs/lips/best.pt --video fixed --out runs/seen
python recipes/enhance_av.py ... --video zeroed --out runs/unseen
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

# Found beside this file, run as a script and run by `ctcasr train`.
sys.path.append(str(Path(__file__).parent))

import enhance

from ctcasr.data.mixture import Frames
from ctcasr.enhance import Eyes, SeenOnce, load_ears, load_trunk
from ctcasr.enhance.model import EnhancerModel
from ctcasr.enhance.spec import read_enhancer
from ctcasr.run_cli import run_cli
from ctcasr.train import option, parse, read_manifests
from ctcasr.video import Spoilt, VideoReader

FEW = 5  # videos that could not be used, named at the end


@dataclass(frozen=True)
class Settings(enhance.Settings):
    """Train an audio-visual speech enhancer."""

    net: str = option(
        "av_mask",
        "av_mask, av_mask_causal, avse_lstm8, avse_lstm12, ..., or a spec as a .toml file",
    )
    video: str = option(
        "fixed",
        "fixed; as_published (every frame but the last is zero); zeroed (the network sees "
        "nothing); shuffled (the lips of another utterance)",
    )
    lips: str = option("", "checkpoint of a lip reader (recipes/lips.py), whose trunk is taken")
    ears: str = option(
        "", "checkpoint of an enhancer that only hears (recipes/enhance.py), which is begun from"
    )
    frozen: bool = option(
        False, "do not train the trunk: what it sees is computed once for each clip"
    )
    spoil: bool = option(
        False, "while learning, some videos are missing, end early, stand still or are late"
    )
    cache: str = option("", "folder for decoded frames; empty: in --out")
    out: str = option("runs/enhance_av", "folder of the run")
    optimiser: str = option("rmsprop", "adamw, adam (L2 weight decay), sgd or rmsprop")
    weight_decay: float = option(0.0, "decoupled (adamw) or L2 weight decay")
    schedule: str = option(
        "exponential",
        "onecycle, cosine, linear, exponential, plateau, drop, constant or range (a range test)",
    )
    warmup: float = option(0.0, "share of training in which the learning rate rises")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score; then tell what was seen."""
    s = parse(Settings, argv, prog="enhance_av")
    spec = read_enhancer(s.net)
    if not spec.sees:
        raise ValueError(
            "net: expected a network that sees (av_mask, avse_lstm8, ...); "
            f"got {s.net!r}: use recipes/enhance.py"
        )
    if s.init and (s.lips or s.ears):
        raise ValueError(
            "init: expected a checkpoint with eyes and ears of its own, or --lips and --ears to "
            "begin with; got both, of which --init would replace the others"
        )
    if s.frozen and not (s.lips or s.init):
        raise ValueError(
            "frozen: expected a trunk that has learnt to see, --lips of a lip reader or --init of "
            "an enhancer; got neither"
        )
    reader = VideoReader(
        s.cache or Path(s.out) / "frames",
        mode=s.video,
        pictures=spec.pictures,
        others=read_manifests(s.train, s.dev) if s.video == "shuffled" else (),
    )

    def show(model: EnhancerModel) -> Eyes:
        """What the network is shown, once its trunk is there."""
        if s.ears:
            load_ears(model, s.ears)
        if s.lips:
            load_trunk(model, s.lips)
        frames: Frames = SeenOnce(reader, model) if s.frozen else reader
        return Eyes(Spoilt(frames) if s.spoil else frames, frames)

    enhance.run(s, show, s.video, recipe="enhance_av")
    kinds = [f"{kind} {count}" for kind, count in sorted(reader.counts.items())]
    only = (
        " (by this process; --workers 0 counts those of other processes too)" if s.workers else ""
    )
    print(f"video: {', '.join(kinds) or 'nothing was read'}{only}")
    for name, reason in list(reader.reasons.items())[:FEW]:
        print(f"  {name}: {reason}")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
