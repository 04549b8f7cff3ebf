"""The training step on a processor with everything beside the matrix products fused into a few passes.

``kernels`` are the passes, in the part of Python that Numba compiles; ``memory`` and ``vector_math`` are what they are
made of. ``compiler`` turns them into machine code in a process of its own, and ``object_code`` keeps that for the next
start and loads it. ``step`` writes a step down as a ``program`` of kernels, which run on torch's own threads, and of
torch's matrix products, which ``torch_functions`` finds. Without a compiler, or where the step is of another kind,
training stays on the plain path of ``backend.models.gradient``: the same numbers up to rounding.
"""

WORDS = 16
"""Whole numbers of 64 bits that a kernel is called with."""

OPERATION_WORDS = 4
"""Of them, what an operation of a program consists of."""

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
"""Their names."""
