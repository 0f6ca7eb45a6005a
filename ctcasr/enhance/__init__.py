"""Enhancement: noisy audio (and video) in, enhanced audio out."""

from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.listener import Listener
from ctcasr.enhance.task import Enhance

__all__ = [
    "Enhance",
    "Enhancer",
    "Listener",
]
