"""Views of a run: live display, plain lines, plots."""

from ctcasr.show.curves import draw_run
from ctcasr.show.picture import draw_utterance
from ctcasr.show.records import Line, read_records
from ctcasr.show.story import Story
from ctcasr.show.summary import summary
from ctcasr.show.watch import watch

__all__ = ["Line", "Story", "draw_run", "draw_utterance", "read_records", "summary", "watch"]
