"""The training step on a processor with everything beside the matrix products fused into a few passes.

``kernels`` are the passes, in the part of Python that Numba compiles; ``vector_math`` is what they compute with.
``compiler`` turns them into machine code in a process of its own, ``object_code`` keeps that for the next start and
loads it, ``team`` runs it on torch's own threads, and ``step`` is the step. Without a compiler, or where the step is of
another kind, training stays on the plain path of ``backend.models.gradient``: the same numbers up to rounding.
"""

WORDS = 16
"""Whole numbers of 64 bits that a kernel is called with."""

CHUNK_ROWS = 16
"""Rows of a matrix that one thread takes at a time."""

KERNELS = (
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
