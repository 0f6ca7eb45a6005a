"""The errors of the loss: for what it cannot compute, and for kernels that cannot run."""


class InputError(ValueError, RuntimeError):
    """Logits, targets, lengths or options that make no CTC batch; says which row and what to do.

    A ValueError, and a RuntimeError because that is what torch's own loss raises.
    """


class KernelError(RuntimeError):
    """A kernel does not compile, load or launch here: backend "auto" then takes torch's loss."""
