"""The GAN: whether it draws all classes, from the prior and wherever one drags."""

from __future__ import annotations

import numpy as np
from figures import Figure, trained
from judge import judge

SAMPLES = 10_000
SQUARES = (2.0, 3.0)
"""Half the sides of squares in which one drags: where 91 % of codes lie, and as far as the manifold is drawn."""

EPOCHS = 10


def measure(data: str) -> dict[str, Figure]:
    """The share of the rarest class among samples, as a classifier sees them."""
    classes, known = judge(data)
    model, seconds = trained(data, "gan", epochs=EPOCHS)
    snapshot, rng = model.snapshot(), np.random.default_rng(0)
    figures = {}
    for where, z in {
        "prior": rng.standard_normal((SAMPLES, 2)),
        **{f"square to ±{half:g}": rng.uniform(-half, half, (SAMPLES, 2)) for half in SQUARES},
    }.items():
        shares = np.bincount(classes(snapshot.decode(z.astype(np.float32))), minlength=10) / SAMPLES
        figures[f"share of the rarest class, {where}"] = Figure(float(shares.min()), at_least=0.03)
    return {
        **figures,
        "the classifier is right of real held-out images": Figure(known),
        f"seconds of training, {EPOCHS} epochs": Figure(seconds),
    }
