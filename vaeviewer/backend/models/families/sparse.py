"""The sparse autoencoder: a wide code of which each image uses a few numbers.

Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 14.2.1, for the L1 penalty; Ng, "Sparse autoencoder",
CS294A lecture notes (2011), for the divergence to a target activation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import FailFast, Field

from vaeviewer.backend.models.families.autoencoder import (
    CROSS_ENTROPY,
    SQUARED_ERROR,
    PointNetworks,
    build_networks,
    errors,
    lowered,
    point_form,
)
from vaeviewer.backend.models.fields import LIVE, HiddenWidth
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

    from vaeviewer.backend.models.latent_model import LatentModel

ACTIVE = Metric(
    "active",
    "Active share",
    "of the code",
    help="How many of the code's numbers are on for an image: above one half where they are logistic, above zero where "
    "they are rectified.",
    plot="share",
)
ACTIVATION = Metric(
    "activation",
    "Mean activation",
    "of the code",
    help="The mean of the code's numbers, which the penalty holds down.",
    plot="share",
)


class SparseConfig(PointNetworks):
    """Settings of the sparse autoencoder."""

    family: Literal["sparse"] = "sparse"
    latent_dim: int = Field(
        64,
        ge=1,
        le=256,
        title="Latent dimension",
        description="Numbers in z, of which each image should use a few. The plane shows two at a time.",
    )
    penalty: Literal["kl", "l1"] = Field(
        "kl",
        title="Penalty",
        description="KL: each number of the code is logistic, and its mean over images is drawn to the target (Ng "
        "2011). L1: each is rectified, and their sum is held down (Goodfellow et al. 2016, 14.2.1).",
    )
    hidden: Annotated[tuple[HiddenWidth, ...], FailFast()] = Field(
        (),
        max_length=8,
        title="Hidden layers",
        description="Units in each hidden layer of the encoder, from the image inwards; the decoder mirrors them. "
        "Empty: one layer each way, so that each number of z adds an image of its own.",
    )
    target: float = Field(
        0.1,
        gt=0.0,
        lt=1.0,
        title="Target activation",
        description="ρ: the mean over images that the KL penalty asks of each number of the code.",
        json_schema_extra=LIVE,
    )
    weight: float = Field(
        10.0,
        ge=0.0,
        le=1000.0,
        title="Weight",
        description="Of the penalty in what training lowers, beside the error of an image.",
        json_schema_extra=LIVE,
    )

    @property
    def code(self) -> Literal["sigmoid", "relu"]:
        """What the encoder's outputs go through to become the code."""
        return "sigmoid" if self.penalty == "kl" else "relu"


class Sparse(Family[SparseConfig]):
    """z = f(x) with few numbers that are not zero, x̂ = g(z)."""

    key = "sparse"
    title = "Sparse autoencoder"
    sentence = (
        "A code of many numbers of which each image may use a few: each comes to stand for a part of images."
    )
    source = "Ng 2011"
    Config = SparseConfig
    metrics = Metrics((SQUARED_ERROR, CROSS_ENTROPY, ACTIVE, ACTIVATION))
    capabilities = Capabilities(has_density=False, generates=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "l1": Preset("Rectified numbers whose sum is held down.", {"penalty": "l1", "weight": 0.5}),
    }
    page = Page(
        see="The plane shows two of the many numbers of the code at a time. Most images lie on its edges, where one or "
        "both are off; few use both. Look at the traversal: each row changes one number and with it one part of the "
        "image, such as a stroke, and leaves the rest as it is.",
        why="With as many numbers the error alone would let each image use all of them. The penalty makes every number "
        "cost something: under KL each may be on for a small share of images, the target ρ; under L1 each costs as "
        "much as it is large. So it pays to have one number for what many images share. Raise the weight while it "
        "trains: fewer are on, and the reconstructions lose detail.",
        objective="min &nbsp;Σ<sub><i>x</i></sub> <i>L</i>(<i>x</i>, <i>g</i>(<i>f</i>(<i>x</i>))) + <i>λ</i> <i>Ω</i>"
        "<br><i>Ω</i> = Σ<sub><i>j</i></sub> KL( <i>ρ</i> ‖ mean of <i>z<sub>j</sub></i> ), or "
        "Σ<sub><i>j</i></sub> |<i>z<sub>j</sub></i>|",
    )

    def build(self, config: SparseConfig, data: DataSpec) -> LatentModel:
        """An encoder to a code of numbers that cannot be negative, and a decoder."""
        target = config.target if config.penalty == "kl" else 0.5
        return build_networks(config, data.image, config.code, math.log(target / (1.0 - target)))

    def players(self, model: LatentModel, config: SparseConfig) -> Sequence[Player[SparseConfig]]:
        """One: encoder and decoder together lower error and penalty."""
        from vaeviewer.backend.models.latent_model import Point

        def loss(batch: Batch, config: SparseConfig) -> Objective:
            terms, code = _terms(model, batch.x, config)
            means = {key: values.mean() for key, values in terms.items()}
            penalty = divergence(code, config.target) if config.penalty == "kl" else code.sum(1).mean()
            return Objective(means[lowered(config)] + config.weight * penalty, means, Point(code))

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: SparseConfig
    ) -> Mapping[str, Tensor]:
        """Errors and activity of held-out images."""
        return _terms(model, batch.x, config)[0]

    def numpy_form(self, config: SparseConfig) -> PointForm | None:
        """Where it is fully connected NumPy decodes."""
        return point_form(config, config.code)


def divergence(code: Tensor, target: float) -> Tensor:
    """Σ_j KL(ρ ‖ ρ̂_j) between Bernoulli variables, in nats; ρ̂_j is the mean of a code's number over the batch.

    Ng 2011, section 3.

    Args:
        code: ``(n, latent_dim)``, in 0 … 1.
        target: ρ.
    """
    mean = code.mean(0).clamp(1e-6, 1.0 - 1e-6)
    on = target * (target / mean).log()
    return (on + (1.0 - target) * ((1.0 - target) / (1.0 - mean)).log()).sum()


def _terms(model: LatentModel, x: Tensor, config: SparseConfig) -> tuple[dict[str, Tensor], Tensor]:
    """The metrics of each image, ``(n,)``, and the codes."""
    encoded = model.encode(x)
    assert encoded is not None, "this family has an encoder"
    code = encoded.mean
    on = code > (0.5 if config.penalty == "kl" else 0.0)
    terms = {**errors(model, code, x, config), "active": on.float().mean(1), "activation": code.mean(1)}
    return terms, code


FAMILY = Sparse()
