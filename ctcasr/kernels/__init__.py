"""What compiled kernels stand on."""
