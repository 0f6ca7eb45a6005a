"""Rooms and noise at an SNR, resampling: what mixing and augmentation share."""
