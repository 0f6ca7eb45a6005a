"""Rooms and noise at an SNR, resampling: what mixing and augmentation share."""

from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response
from ctcasr.signal.resample import Resample

__all__ = ["Resample", "convolve", "gain_for_snr", "room_response"]
