"""Hidden units that are dead: rectified (ReLU) and zero for every image, so that no gradient reaches them any more.

Lu, Shin, Su & Karniadakis, "Dying ReLU and Initialization" (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.snapshot import Snapshot

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel

MOST_IMAGES = 1000
"""Images that a unit must be zero for, if there are so many."""

AT_ONCE = 50
"""Images looked at in one step of the computation."""


@dataclass(frozen=True)
class LayerUnits:
    """A rectified hidden layer.

    Attributes:
        network: ``"encoder"`` or ``"decoder"``.
        layer: Which of its rectified layers, from 1 in the order in which it computes.
        dead: How many of its units are zero for every image.
        units: How many it has: feature maps, where it convolves.
        images: How many images it was looked at with.
    """

    network: str
    layer: int
    dead: int
    units: int
    images: int


def may_die(snapshot: Snapshot) -> bool:
    """Whether a model has an encoder and rectified layers whose units can be looked at with images."""
    return snapshot.family.capabilities.encodes and getattr(snapshot.model, "activation", "") == "relu"


def dead_units(
    snapshot: Snapshot, images: NDArray[np.uint8], labels: NDArray[np.int64] | None
) -> Iterator[tuple[LayerUnits, ...] | None]:
    """Count the dead units of each layer, some images at a time: ``None`` between, at last what was found.

    The encoder sees the images, the decoder the codes at the posterior means.

    Args:
        snapshot: The model.
        images: ``(n, *image_shape)``; of more than :data:`MOST_IMAGES` some evenly chosen are taken.
        labels: Their classes, ``(n,)``, for models that see them.
    """
    chosen = np.arange(len(images))[:: -(-len(images) // MOST_IMAGES) or 1]
    alive: dict[tuple[str, int], NDArray[np.bool_]] = {}
    most = min(AT_ONCE, rows_at_once(snapshot.model.widest(snapshot.image.values)))
    for part in parts(len(chosen), most):
        y = None if labels is None else labels[chosen[part]]
        for key, active in _active(snapshot, images[chosen[part]], y).items():
            alive[key] = alive[key] | active if key in alive else active
        yield None
    yield tuple(
        LayerUnits(network, layer, int((~units).sum()), len(units), len(chosen))
        for (network, layer), units in alive.items()
    )


def _active(
    snapshot: Snapshot, images: NDArray[np.uint8], y: NDArray[np.int64] | None
) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Which units of each rectified layer are more than zero for some of the images, by network and layer."""
    import torch

    from vaeviewer.backend.data.pixels import as_tensor, channels_first, pixels
    from vaeviewer.backend.models.latent_model import ask
    from vaeviewer.backend.models.networks.rectified import RectifiedOutputs

    x = pixels(channels_first(as_tensor(images), snapshot.image), snapshot.protocol)
    classes = None if y is None else torch.tensor(y)

    def look(model: LatentModel) -> dict[str, list[Tensor]]:
        with RectifiedOutputs() as encoder:
            posterior = model.encode(x, classes)
        assert posterior is not None, "the family says that it encodes"
        with RectifiedOutputs() as decoder:
            model.decode(posterior.mean, classes)
        return {"encoder": encoder.outputs, "decoder": decoder.outputs}

    found = {}
    for network, outputs in ask(snapshot.key, snapshot.tensors, look).items():
        for layer, output in enumerate(outputs, start=1):
            units_last = output if output.ndim < 4 else output.movedim(1, -1)  # (n, C, H, W) -> (n, H, W, C)
            found[network, layer] = (units_last > 0).flatten(0, -2).any(0).numpy()
    return found
