"""Exact maximum likelihood: log p(x) and smoothness beside those of a VAE and an IWAE trained for about as long."""

from __future__ import annotations

import time

import numpy as np
from figures import Figure, images_of, mean_log_px, trained
from numpy.typing import NDArray

from vaeviewer.analysis.smoothness import smoothness
from vaeviewer.backend.snapshot import Array
from vaeviewer.native.cores import available_cores

RUNS = (("vae", "default", 95), ("iwae", "default", 22), ("exact", "binarised", 30))
"""Kinds of model, presets, and epochs that take about as long."""

IMAGES = 10_000
"""So many of those held out are judged, and of those trained on, too: such models overfit."""

LEAST = {"vae": -132.0, "exact": -125.0}
ROUGHEST = 0.5


def binarised(levels: NDArray[np.uint8]) -> Array:
    """Pixels that are on with the probability of their grey level, by draws that are always the same."""
    return (levels > 255 * np.random.default_rng(7).random(levels.shape)).astype(np.float32)


def measure(data: str) -> dict[str, Figure]:
    """See the module."""
    images = images_of(data)
    held_out, seen = binarised(images.held_out_images[:IMAGES]), binarised(images.train_images[:IMAGES])
    figures: dict[str, Figure] = {}
    for family, preset, epochs in RUNS:
        begin = time.process_time()
        trainer, _ = trained(data, family, preset, protocol="dynamic", epochs=epochs)
        seconds = (time.process_time() - begin) / available_cores()
        snapshot, found = trainer.snapshot(), trainer.held_out
        assert found is not None, "it was judged after each epoch"
        figures |= {
            f"{family}, held-out log p(x), nats": Figure(
                mean_log_px(snapshot, held_out), at_least=LEAST.get(family) if data else None
            ),
            f"{family}, training log p(x), nats": Figure(mean_log_px(snapshot, seen)),
            f"{family}, held-out ELBO, nats": Figure(found.values["elbo"]),
            f"{family}, smoothness, nats": Figure(
                smoothness(snapshot), at_most=ROUGHEST if family == "exact" else None
            ),
            f"{family}, seconds of all cores for {epochs} epochs": Figure(seconds, at_most=600.0),
        }
    return figures
