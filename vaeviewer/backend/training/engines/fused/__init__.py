"""The training step on a processor with everything beside the matrix products fused into a few passes.

``kernels`` are the passes, made of ``vector_math`` and compiled by ``vaeviewer.native``. ``step_writer`` writes steps
down as a ``program`` of kernels and of torch's matrix products, which ``torch_functions`` finds; ``step`` fills in what
each step reads. A ``team`` of threads goes through it, by the rules in ``stages``. Without a compiler, or where the
step is of another kind, training stays on the plain path of ``gradient``: the same numbers up to
rounding.
"""

KERNELS = (
    "run",
    "serve",
    "dismiss",
    "levels",
    "activate",
    "back",
    "through_z",
    "back_through_z",
    "fold",
    "fold_low",
    "bernoulli",
    "log_likelihood",
    "adam",
    "adam_low",
    "keep",
)
"""What ``kernels`` defines."""
