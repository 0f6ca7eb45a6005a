"""Views of a run: live display, plain lines, plots, pages."""

from ctcasr.show.arms import draw_arms
from ctcasr.show.arms_table import table_of_arms
from ctcasr.show.classes import draw_classes
from ctcasr.show.curves import draw_run, release_step
from ctcasr.show.live import watch
from ctcasr.show.picture import draw_utterance
from ctcasr.show.run_page import write_page
from ctcasr.show.run_summary import summary
from ctcasr.show.run_view import RunView
from ctcasr.show.runs_page import write_runs_page
from ctcasr.show.tensorboard import write_events
from ctcasr.show.wandb import write_wandb

__all__ = [
    "RunView",
    "draw_arms",
    "draw_classes",
    "draw_run",
    "draw_utterance",
    "release_step",
    "summary",
    "table_of_arms",
    "watch",
    "write_events",
    "write_page",
    "write_runs_page",
    "write_wandb",
]
