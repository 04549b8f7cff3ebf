"""The training step on a processor with everything beside the matrix products fused into a few passes.

``kernels`` are the passes, made of ``vector_math`` and compiled by ``vaeviewer.native``. ``step`` writes steps down
as a ``program`` of kernels and of torch's matrix products, which ``torch_functions`` finds. A ``team`` of threads goes
through it, by the rules in ``stages``. Without a compiler, or where the step is of another kind, training stays on the
plain path of ``backend.models.gradient``: the same numbers up to rounding.
"""

KERNELS = (
    "run",
    "serve",
    "dismiss",
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
