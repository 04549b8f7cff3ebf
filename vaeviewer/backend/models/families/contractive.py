"""The contractive autoencoder: its codes hardly move when an image changes a little.

Rifai, Vincent, Muller, Glorot & Bengio, "Contractive Auto-Encoders: Explicit Invariance During Feature Extraction"
(2011).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.families.autoencoder import (
    CROSS_ENTROPY,
    SQUARED_ERROR,
    PointNetworks,
    build_networks,
    errors,
    lowered,
    point_form,
)
from vaeviewer.backend.models.fields import ADVANCED, LIVE
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import PointForm

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel, Point

CONTRACTION = Metric(
    "contraction",
    "Penalty ‖∂z/∂x‖²",
    "per image",
    help="The squares of all derivatives of the code by the pixels: how far a code moves when its image changes a "
    "little, whatever way.",
    plot="contraction",
)


class ContractiveConfig(PointNetworks):
    """Settings of the contractive autoencoder."""

    family: Literal["contractive"] = "contractive"
    weight: float = Field(
        1.0,
        ge=0.0,
        le=1e6,
        title="Weight",
        description="λ: of the penalty ‖∂z/∂x‖² in what training lowers, beside the error of an image.",
        json_schema_extra=LIVE,
    )
    normalisation: Literal["none", "group"] = Field(
        "none",
        title="Normalisation",
        description="Of each convolution's outputs over groups of an image's channels (Wu & He 2018), or none. Over "
        "the batch there is none: a code would depend on other images, too.",
        json_schema_extra=ADVANCED,
    )

    def widest(self, values: int) -> int:
        """As :meth:`FamilyConfig.widest`; the penalty has all of it for each number of the code."""
        return super().widest(values) * self.latent_dim


class Contractive(Family[ContractiveConfig]):
    """z = f(x), x̂ = g(z), an error, and the encoder's derivatives."""

    key = "contractive"
    title = "Contractive autoencoder"
    sentence = "Its codes are asked to stay where they are when an image changes a little."
    source = "Rifai et al. 2011"
    Config = ContractiveConfig
    metrics = Metrics((SQUARED_ERROR, CROSS_ENTROPY, CONTRACTION))
    capabilities = Capabilities(has_density=False, generates=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "tied": Preset(
            "The decoder has the encoder's weights, as in the paper, so that it cannot stretch again what the encoder "
            "shrinks.",
            {"tied": True, "weight": 0.1},
        ),
    }
    page = Page(
        see="Each point is an image at its code. Where an autoencoder gives every small difference some room, here the "
        "points gather in tighter groups and lines, with more empty plane between them. Click points of one group, and "
        "see how different the images are that share a place.",
        why="The penalty sums the squares of all derivatives of the code by the pixels, so that it costs something to "
        "react to an image at all. The error resists it in the few directions in which images really differ, and "
        "nowhere else: the code learns those and ignores the rest. Raise the weight while it trains: points draw "
        "together, and reconstructions look more like averages.",
        objective="min &nbsp;Σ<sub><i>x</i></sub> <i>L</i>(<i>x</i>, <i>g</i>(<i>f</i>(<i>x</i>))) + "
        "<i>λ</i> ‖∂<i>f</i>(<i>x</i>)/∂<i>x</i>‖²"
        "<br>the sum of squares of the Jacobian, by <i>z</i> and by pixel",
    )

    def build(self, config: ContractiveConfig, data: DataSpec) -> LatentModel:
        """An encoder to z itself, and a decoder."""
        return build_networks(config, data.image)

    def players(self, model: LatentModel, config: ContractiveConfig) -> Sequence[Player[ContractiveConfig]]:
        """One: encoder and decoder together lower error and penalty."""

        def loss(batch: Batch, config: ContractiveConfig) -> Objective:
            terms, code = _terms(model, batch.x, config)
            means = {key: values.mean() for key, values in terms.items()}
            # Rifai et al. 2011, section 4, averaged over the batch.
            return Objective(means[lowered(config)] + config.weight * means["contraction"], means, code)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: ContractiveConfig
    ) -> Mapping[str, Tensor]:
        """Errors and penalty of held-out images."""
        return _terms(model, batch.x, config)[0]

    def numpy_form(self, config: ContractiveConfig) -> PointForm | None:
        """Where it is fully connected NumPy decodes."""
        return point_form(config)


def contraction(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The codes of images, and ‖∂z/∂x‖² of each: the squared Frobenius norm of the Jacobian, exact for any layers.

    Rifai et al. 2011, section 2, equation 1. Each number of the code takes one pass back through the encoder, all of
    them at once.

    Args:
        encode: Maps ``(n, …)`` to ``(n, latent_dim)``, each row by itself.
        x: ``(n, …)``.

    Returns:
        ``(n, latent_dim)`` and ``(n,)``; both pass on gradients to what ``encode`` is made of.
    """
    import torch

    code, pull_back = torch.func.vjp(encode, x)  # type: ignore[misc]  # a third one comes with has_aux alone
    n, dim = code.shape
    rows = torch.eye(dim, dtype=code.dtype, device=code.device)[:, None].expand(dim, n, dim)
    (jacobian,) = torch.func.vmap(pull_back)(rows)  # (latent_dim, n, …)
    return code, jacobian.square().flatten(2).sum((0, 2))


def _terms(model: LatentModel, x: Tensor, config: ContractiveConfig) -> tuple[dict[str, Tensor], Point]:
    """The metrics of each image, ``(n,)``, and the codes."""
    import torch

    from vaeviewer.backend.models.latent_model import Point
    from vaeviewer.backend.models.networks.point_autoencoder import PointAutoencoder

    assert isinstance(model, PointAutoencoder)
    with torch.autocast(x.device.type, enabled=False):  # derivatives are not rounded
        code, penalty = contraction(model.code_of, x)
    return {**errors(model, code, x, config), "contraction": penalty}, Point(code)


FAMILY = Contractive()
