"""The doctor: what is wrong with a corpus before training, and a page about a run after it."""

from ctcasr.doctor.examination import Examination, examine
from ctcasr.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine"]
