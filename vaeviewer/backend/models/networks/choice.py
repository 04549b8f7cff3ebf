"""The networks that the settings name: an image to numbers, and numbers to an image."""

from __future__ import annotations

from torch import nn

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.networks.conv import ConvDecoder, ConvEncoder
from vaeviewer.backend.models.networks.mlp import MlpDecoder, MlpEncoder


def inference_network(
    config: ImageNetworks, image: ImageSpec, outputs: int, beside: int = 0
) -> MlpEncoder | ConvEncoder:
    """Maps images ``(n, C, H, W)``, and ``(n, beside)`` where that is not 0, to ``(n, outputs)``."""
    if config.network == "conv":
        return ConvEncoder(config, image, outputs, beside)
    sizes = (image.values + beside, *config.hidden, outputs)
    # What touches z is float32 always, so that codes are never rounded.
    return MlpEncoder(sizes, config.activation, exact=len(config.hidden))


def generative_network(config: ImageNetworks, image: ImageSpec, inputs: int) -> nn.Module:
    """Maps ``(..., inputs)`` to ``(..., C, H, W)``; what these numbers mean is up to the likelihood."""
    if config.network == "conv":
        return ConvDecoder(config, image, inputs)
    shape = (image.channels, image.height, image.width)
    return MlpDecoder((inputs, *reversed(config.hidden), image.values), shape, config.activation, exact=0)
