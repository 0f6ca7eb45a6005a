"""Networks: over padded sequences, and classifiers of features of a fixed length."""

from ctcasr.net.acoustic import AcousticModel
from ctcasr.net.batchnorm import SequenceBatchNorm, normalise_over_all
from ctcasr.net.bcresnet import BCResNet
from ctcasr.net.chunks import Chunking, CumulativeNorm, GlobalNorm, Product
from ctcasr.net.conv import ConvLayer, ConvStack
from ctcasr.net.dropout import Dropout
from ctcasr.net.dualpath import Masking, Separator, WaveDecoder, WaveEncoder
from ctcasr.net.googlenet import GoogLeNet
from ctcasr.net.head import Head
from ctcasr.net.kws import ConvClassifier
from ctcasr.net.lookahead import Lookahead
from ctcasr.net.prior import LabelPrior
from ctcasr.net.prune import Pruner, Schedule
from ctcasr.net.resnet import ResNet
from ctcasr.net.rnn import RecurrentLayer, RecurrentStack
from ctcasr.net.state_heads import StateHeads

__all__ = [
    "AcousticModel",
    "BCResNet",
    "Chunking",
    "ConvClassifier",
    "ConvLayer",
    "ConvStack",
    "CumulativeNorm",
    "Dropout",
    "GlobalNorm",
    "GoogLeNet",
    "Head",
    "LabelPrior",
    "Lookahead",
    "Masking",
    "Product",
    "Pruner",
    "RecurrentLayer",
    "RecurrentStack",
    "ResNet",
    "Schedule",
    "Separator",
    "SequenceBatchNorm",
    "StateHeads",
    "WaveDecoder",
    "WaveEncoder",
    "normalise_over_all",
]
