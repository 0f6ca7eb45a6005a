"""The audit: which transcripts of a corpus are wrong, and in what way."""

from ctcasr.audit.crossfit import CrossFitted, Training, cross_fit
from ctcasr.audit.examination import audit_by_checkpoint, audit_by_training
from ctcasr.audit.heard import Heard, listen
from ctcasr.audit.kinds import KINDS, LineVerdict, WordVerdict
from ctcasr.audit.result import Audit
from ctcasr.audit.verdicts import judge

__all__ = [
    "KINDS",
    "Audit",
    "CrossFitted",
    "Heard",
    "LineVerdict",
    "Training",
    "WordVerdict",
    "audit_by_checkpoint",
    "audit_by_training",
    "cross_fit",
    "judge",
    "listen",
]
