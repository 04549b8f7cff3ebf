"""The conditional VAE: whether what it draws of a class is of that class."""

from __future__ import annotations

import numpy as np
from figures import Figure, trained
from judge import judge

SAMPLES = 1000
"""Of each class."""


def measure(data: str) -> dict[str, Figure]:
    """How many samples of each class are taken for it, and the bound beside that of a VAE that is not told."""
    classes, known = judge(data)
    model, seconds = trained(data, "conditional")
    snapshot, draw = model.snapshot(), np.random.default_rng(0)
    right = [
        float((classes(snapshot.decode(draw.standard_normal((SAMPLES, 2)), y)) == y).mean())
        for y in range(len(model.dataset.class_names))
    ]
    assert model.held_out is not None
    return {
        "samples of class y classified as y": Figure(float(np.mean(right)), at_least=0.95),
        "the same of the class that fares worst": Figure(min(right)),
        "of real held-out images": Figure(known),
        "held-out ELBO, a bound on log p(x|y), nats": Figure(model.held_out.values["elbo"]),
        "seconds of training": Figure(seconds),
    }
