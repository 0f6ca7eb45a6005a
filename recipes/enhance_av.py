"""Train an audio-visual enhancer: like recipes/enhance.py, with the speaker's video.

What is the video worth?

python recipes/enhance_av.py --train TRAIN.jsonl --noise NOISE.jsonl --valid SCENES.jsonl \\
    --video fixed --out runs/seen
python recipes/enhance_av.py ... --video zeroed --out runs/unseen
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

# Found beside this file, run as a script and run by `ctcasr train`.
sys.path.append(str(Path(__file__).parent))

import enhance

from ctcasr.enhance.spec import read_enhancer
from ctcasr.run_cli import run_cli
from ctcasr.train import option, parse
from ctcasr.video import VideoReader

FEW = 5  # videos that could not be used, named at the end


@dataclass(frozen=True)
class Settings(enhance.Settings):
    """Train an audio-visual speech enhancer."""

    net: str = option(
        "avse_lstm8", "avse_lstm8, avse_lstm12, avse_lstm8_causal, or a spec as a .toml file"
    )
    video: str = option(
        "fixed",
        "fixed; as_published (every frame but the last is zero); zeroed (the network sees nothing)",
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
    if not read_enhancer(s.net).sees:
        raise ValueError(
            "net: expected a network that sees (avse_lstm8, avse_lstm12, ...); "
            f"got {s.net!r}: use recipes/enhance.py"
        )
    reader = VideoReader(s.cache or Path(s.out) / "frames", mode=s.video)
    enhance.run(s, reader, s.video, recipe="enhance_av")
    kinds = [f"{kind} {count}" for kind, count in sorted(reader.counts.items())]
    print("video:", ", ".join(kinds) or "nothing was read")
    for name, reason in list(reader.reasons.items())[:FEW]:
        print(f"  {name}: {reason}")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
