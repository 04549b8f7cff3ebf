"""InfoGAN: whether its codes can be told from its images, and what its categories are."""

from __future__ import annotations

import numpy as np
import torch
from figures import Figure, trained
from judge import judge

SAMPLES = 1000
"""Of each category."""

EPOCHS = 6


def measure(data: str) -> dict[str, Figure]:
    """R² of each code as Q says it, and the share of each category's most frequent class, as a classifier sees it."""
    classes, known = judge(data)
    model, seconds = trained(data, "infogan", epochs=EPOCHS)
    snapshot, rng = model.snapshot(), np.random.default_rng(0)
    networks = model._model.eval()
    errors, purities, found = np.zeros(2), [], set()
    for category in range(10):
        z = rng.standard_normal((SAMPLES, 2)).astype(np.float32)
        images = snapshot.decode(z, category)
        with torch.no_grad():
            _, loc, _ = networks.guesses(networks.discriminator(torch.tensor(images)[:, None]))
        errors += np.square(z - loc.numpy()).mean(0) / 10
        counts = np.bincount(classes(images), minlength=10)
        purities.append(counts.max() / SAMPLES)
        found.add(int(counts.argmax()))
    return {
        "R² of the first code": Figure(float(1 - errors[0]), at_least=0.6),
        "R² of the second code": Figure(float(1 - errors[1]), at_least=0.6),
        "purity of the categories": Figure(float(np.mean(purities))),
        "classes that some category mostly is": Figure(len(found)),
        "the classifier is right of real held-out images": Figure(known),
        f"seconds of training, {EPOCHS} epochs": Figure(seconds),
    }
