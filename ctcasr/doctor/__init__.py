"""The doctor: what is wrong with a corpus before training, and a page about a run after it."""

from ctcasr.doctor.examine import Examination, examine
from ctcasr.doctor.finding import Finding
from ctcasr.doctor.page import write_page

__all__ = ["Examination", "Finding", "examine", "write_page"]
