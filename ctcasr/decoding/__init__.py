"""From logits to words: what was written, when its symbols were, and how sure each of them is.

Decoders are greedy, search by a beam with a language model and hotwords, or know the sentences of
a grammar and write one of them or nothing (constrained decoding, by the best path through a graph).
"""

from ctcasr.decoding.commands import CommandDecoder, Commands
from ctcasr.decoding.decoder import Decoder, FlashlightDecoder, beam_decoder
from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.decoding.token_graph import TokenGraph

__all__ = [
    "CommandDecoder",
    "Commands",
    "Decoder",
    "FlashlightDecoder",
    "Hypothesis",
    "TokenGraph",
    "Word",
    "beam_decoder",
]
