"""The CUDA backend of the CTC loss: kernels kept as source, compiled by NVRTC at first use."""

from ctcasr.ctc.cuda.backend import forward_backward
from ctcasr.ctc.cuda.nvrtc import CudaUnavailable

__all__ = ["CudaUnavailable", "forward_backward"]
