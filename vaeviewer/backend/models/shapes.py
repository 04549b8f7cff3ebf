"""Which weights a model has, by name and shape: what training builds, files hold and readers check."""

from __future__ import annotations

from itertools import pairwise

from vaeviewer.backend.config import ModelConfig

LOG_VARIANCE = "likelihood.log_variance"
"""Name of the Gaussian likelihood's learned log σ², one value for all pixels, shape ``(1,)``."""


def layer_widths(model: ModelConfig, image_shape: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Units of ``encoder`` (pixels to 2 × latent_dim) and ``decoder`` (latent_dim to pixels), ends included.

    Args:
        model: The shapes of the networks.
        image_shape: ``(height, width)``, pixels.
    """
    pixels = image_shape[0] * image_shape[1]
    return {
        "encoder": (pixels, *model.hidden, 2 * model.latent_dim),
        "decoder": (model.latent_dim, *reversed(model.hidden), pixels),
    }


def expected_weights(model: ModelConfig, image_shape: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Shape of every weight by name: ``encoder.0.weight`` ``(out, in)``, ``encoder.0.bias`` ``(out,)``, ….

    Args:
        model: The shapes of the networks and the likelihood.
        image_shape: ``(height, width)``, pixels.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for network, widths in layer_widths(model, image_shape).items():
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            shapes[f"{network}.{i}.weight"] = (outputs, inputs)
            shapes[f"{network}.{i}.bias"] = (outputs,)
    if model.likelihood == "gaussian" and model.gaussian_variance == "learned":
        shapes[LOG_VARIANCE] = (1,)
    return shapes
