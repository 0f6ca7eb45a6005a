"""The trainer: `fit` yields records; plans, settings and run directories."""

from ctcasr.train.estimate import step_seconds
from ctcasr.train.fit import TrainingError, fit, pick_device
from ctcasr.train.init import load_fitting
from ctcasr.train.plan import Plan, option, required
from ctcasr.train.records import Record, read_records
from ctcasr.train.settings import parse, to_toml

__all__ = [
    "Plan", "Record", "TrainingError", "fit", "load_fitting", "option", "parse", "pick_device", "read_records", "required", "step_seconds",
    "to_toml",
]
