"""The trainer: `fit` yields records; plans, settings and run directories."""

from ctcasr.train.config import TrainConfig, option, required
from ctcasr.train.estimate import step_seconds
from ctcasr.train.initialise import load_compatible
from ctcasr.train.run_log import TrainingError
from ctcasr.train.settings import parse, to_toml, write_settings
from ctcasr.train.trainer import fit
from ctcasr.train.world import World, pick_device

__all__ = [
    "TrainConfig",
    "TrainingError",
    "World",
    "fit",
    "load_compatible",
    "option",
    "parse",
    "pick_device",
    "required",
    "step_seconds",
    "to_toml",
    "write_settings",
]
