"""Hypotheses as files that others read: subtitles (SRT, WebVTT), CTM, Praat's TextGrid, JSON.

Each takes a hypothesis with the times of its words, and returns the text of a file or a line.
"""

from ctcasr.transcripts.formats import to_ctm, to_json, to_textgrid
from ctcasr.transcripts.subtitles import to_srt, to_vtt

__all__ = ["to_ctm", "to_json", "to_srt", "to_textgrid", "to_vtt"]
