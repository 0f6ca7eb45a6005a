"""The trainer: `fit` yields records; plans, settings and run directories."""

from ctcasr.train.estimate import step_seconds
from ctcasr.train.fit import fit
from ctcasr.train.init import load_fitting
from ctcasr.train.plan import Plan, option, required
from ctcasr.train.records import Record, read_records
from ctcasr.train.settings import parse, to_toml, write_settings
from ctcasr.train.trouble import TrainingError
from ctcasr.train.world import World, pick_device

__all__ = [
    "Plan", "Record", "TrainingError", "World", "fit", "load_fitting", "option", "parse", "pick_device", "read_records", "required",
    "step_seconds", "to_toml", "write_settings",
]
