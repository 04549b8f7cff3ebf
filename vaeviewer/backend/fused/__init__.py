"""The training step on a processor with everything beside the matrix products fused into a few passes.

``kernels`` are the passes, made of ``vector_math`` and compiled by ``vaeviewer.native``. ``step`` writes a step down as
a ``program`` of kernels, which run on torch's own threads, and of torch's matrix products, which ``torch_functions``
finds. Without a compiler, or where the step is of another kind, training stays on the plain path of
``backend.models.gradient``: the same numbers up to rounding.
"""

OPERATION_WORDS = 4
"""Whole numbers of 64 bits that an operation of a program consists of."""

CHUNK_ROWS = 16
"""Rows of a matrix that one thread takes at a time."""

KERNELS = (
    "run",
    "levels",
    "activate",
    "activate_to_z",
    "activate_from_z",
    "back",
    "back_to_z",
    "back_from_z",
    "fold",
    "fold_low",
    "sample",
    "back_sample",
    "bernoulli",
    "log_likelihood",
    "adam",
    "adam_low",
)
"""What ``kernels`` defines."""
