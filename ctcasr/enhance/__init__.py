"""Enhancement: noisy audio (and video) in, enhanced audio out."""

from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.files import enhance_files, enhance_tree
from ctcasr.enhance.listener import Listener
from ctcasr.enhance.seen import Eyes, SeenOnce, Show, load_ears, load_trunk
from ctcasr.enhance.spec import read_enhancer
from ctcasr.enhance.task import Enhance

__all__ = [
    "Enhance",
    "Enhancer",
    "Eyes",
    "Listener",
    "SeenOnce",
    "Show",
    "enhance_files",
    "enhance_tree",
    "load_ears",
    "load_trunk",
    "read_enhancer",
]
