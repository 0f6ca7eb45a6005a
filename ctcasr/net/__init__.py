"""Networks over padded sequences."""

from ctcasr.net.acoustic import AcousticModel
from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.net.conv import ConvLayer, ConvStack
from ctcasr.net.head import Head
from ctcasr.net.rnn import RecurrentLayer, RecurrentStack

__all__ = ["AcousticModel", "ConvLayer", "ConvStack", "Head", "RecurrentLayer", "RecurrentStack", "SequenceBatchNorm"]
