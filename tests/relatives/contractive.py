"""How far the contractive autoencoder's codes move, beside the plain one's: Rifai et al. 2011."""

from __future__ import annotations

import torch
from figures import Figure, images_of, trained

from vaeviewer.backend.models.families.contractive import contraction
from vaeviewer.backend.models.networks.point_autoencoder import PointAutoencoder
from vaeviewer.backend.training.trainer import Trainer

LOOKED_AT = 2_000


def movement(trainer: Trainer) -> float:
    """The median of ‖∂z/∂x‖ over held-out images, as a share of the codes' standard deviation."""
    model = trainer._model.eval()
    assert isinstance(model, PointAutoencoder)
    x = torch.tensor(trainer.dataset.held_out_images[:LOOKED_AT])[:, None] / 255
    with torch.no_grad():
        codes, squares = contraction(model.code_of, x)
    return float(squares.sqrt().median() / codes.var(0).sum().sqrt())


def measure(data: str) -> dict[str, Figure]:
    """How far codes move when images change, of this kind and of the plain one, and the error of both."""
    plain, _ = trained(data, "autoencoder")
    contractive, seconds = trained(data, "contractive")
    assert plain.held_out is not None
    assert contractive.held_out is not None
    pixels, of_plain = images_of(data).image.values, movement(plain)
    return {
        "median ‖∂z/∂x‖ over the codes' deviation": Figure(movement(contractive), at_most=of_plain),
        "the plain autoencoder's": Figure(of_plain),
        "squared error per pixel": Figure(contractive.held_out.values["squared_error"] / pixels),
        "the plain autoencoder's error": Figure(plain.held_out.values["squared_error"] / pixels),
        "seconds of training": Figure(seconds),
    }
