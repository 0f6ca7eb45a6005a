"""The error of the loss for what it cannot compute."""


class InputError(ValueError, RuntimeError):
    """Logits, targets, lengths or options that make no CTC batch; says which row and what to do.

    A ValueError, and a RuntimeError because that is what torch's own loss raises.
    """
