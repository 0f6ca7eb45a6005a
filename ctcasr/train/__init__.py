"""The trainer: `fit` yields records; settings and what is written about a run."""

from ctcasr.train.config import RunSettings, TrainConfig, option, required
from ctcasr.train.estimate import Pace, measure_pace
from ctcasr.train.folder import RunFolderError
from ctcasr.train.initialise import load_compatible
from ctcasr.train.notes import run_notes
from ctcasr.train.parts import Parts, read_manifests, read_split
from ctcasr.train.resuming import saved_run
from ctcasr.train.run_log import TrainingError
from ctcasr.train.settings import parse, read_numbers, read_settings, to_toml, write_settings
from ctcasr.train.trainer import fit
from ctcasr.train.world import World, pick_device

__all__ = [
    "Pace",
    "Parts",
    "RunFolderError",
    "RunSettings",
    "TrainConfig",
    "TrainingError",
    "World",
    "fit",
    "load_compatible",
    "measure_pace",
    "option",
    "parse",
    "pick_device",
    "read_manifests",
    "read_numbers",
    "read_settings",
    "read_split",
    "required",
    "run_notes",
    "saved_run",
    "to_toml",
    "write_settings",
]
