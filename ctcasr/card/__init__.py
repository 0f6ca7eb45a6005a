"""The system card: parameters, multiply-adds, latency and memory, measured."""

from ctcasr.card.card import Options, make_card
from ctcasr.card.macs import Count, count
from ctcasr.card.render import markdown
from ctcasr.card.rules import Cost, RuleSet
from ctcasr.card.rulesets import OWN, RULESETS, THOP, TORCHPROFILE
from ctcasr.card.subject import Subject, find_subject

__all__ = [
    "OWN",
    "RULESETS",
    "THOP",
    "TORCHPROFILE",
    "Cost",
    "Count",
    "Options",
    "RuleSet",
    "Subject",
    "count",
    "find_subject",
    "make_card",
    "markdown",
]
