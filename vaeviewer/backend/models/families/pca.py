"""Principal component analysis as a model with a density, solved exactly.

Tipping & Bishop, "Probabilistic Principal Component Analysis" (1999): equation numbers are of this paper. As σ² falls
to 0 it becomes the usual PCA, whose components and squared error it has anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from vaeviewer.backend.models.bound import NATS
from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    Metric,
    Metrics,
    Page,
    Player,
    Preset,
    TrainingImages,
)
from vaeviewer.backend.models.networks.numpy_linear import LinearForm

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.linear_gaussian import LinearGaussian

LOG_PX = Metric(
    "log_px",
    "log p(x)",
    NATS,
    better="higher",
    help="The exact log-density of an image: N(x; μ, WWᵀ + σ²I). No bound is needed where all is linear.",
    plot="log-density",
    loss_title="−log p(x)",
)
SQUARED_ERROR = Metric(
    "squared_error",
    "Squared error",
    "per image",
    better="lower",
    help="Σ (x − g(z))² over the pixels, with g(z) the nearest image that the components can make.",
    plot="squares",
)
FROM_MEAN = Metric(
    "from_mean",
    "From the mean",
    "per image",
    help="Σ (x − μ)² over the pixels: the error of always drawing the mean image.",
    plot="squares",
)
EXPLAINED = Metric(
    "explained",
    "Explained variance",
    "share",
    better="higher",
    help="1 − squared error / distance from the mean: what the components keep of all differences between images.",
    of=lambda terms: 1.0 - terms["squared_error"] / terms["from_mean"],
)


class PcaConfig(FamilyConfig):
    """Settings of PCA: how many components it has, which is the latent dimension."""

    family: Literal["pca"] = "pca"


class Pca(Family[PcaConfig]):
    """x = W z + μ + ε: a plane through the images, and noise around it."""

    key = "pca"
    title = "Principal component analysis"
    sentence = "The flat plane that lies closest to all images: what can be had without a network, exactly and at once."
    source = "Tipping & Bishop 1999"
    kin = "linear"
    Config = PcaConfig
    metrics = Metrics((LOG_PX, SQUARED_ERROR, FROM_MEAN, EXPLAINED))
    capabilities = Capabilities(trains=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "twenty": Preset(
            "Twenty components: the first two stay what they are, and each further one explains less.",
            {"latent_dim": 20},
        )
    }
    page = Page(
        see="Each image is where the two directions along which images differ most put it. Classes overlap, and what "
        "is drawn is the mean image with two patterns added or taken away: a drag fades one into the other, and images "
        "far from the middle have greys beyond black and white. All ellipses are alike, as a linear model is as sure "
        "of one image as of any other.",
        why="Nothing is trained: the best <i>W</i>, <i>μ</i> and <i>σ</i><sup>2</sup> follow from the eigenvectors and "
        "eigenvalues of the images’ covariances. Because all is linear and Gaussian, posterior and "
        "log <i>p</i>(<i>x</i>) are exact, which is what other models pay for being able to bend the plane with. "
        "Compare the squared error with an autoencoder’s of as many dimensions.",
        objective="<i>x</i> = <i>W z</i> + <i>μ</i> + <i>ε</i>, &nbsp; <i>z</i> ~ N(0, <i>I</i>), &nbsp; "
        "<i>ε</i> ~ N(0, <i>σ</i><sup>2</sup><i>I</i>)"
        "<br>max log <i>p</i>(<i>x</i>) = log N( <i>x</i>; <i>μ</i>, <i>W W</i><sup>T</sup> + "
        "<i>σ</i><sup>2</sup><i>I</i> )",
    )

    def build(self, config: PcaConfig, data: DataSpec) -> LatentModel:
        """A model that knows nothing yet."""
        from vaeviewer.backend.models.networks.linear_gaussian import LinearGaussian

        return LinearGaussian(data.image, config.latent_dim)

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: PcaConfig,
        generator: torch.Generator,
    ) -> None:
        """All there is to it: the solution of maximum likelihood (equations 7 and 8)."""
        from vaeviewer.backend.models.networks.components import principal_components

        found = principal_components(images, config.latent_dim, generator)
        _linear(model).solve(found.mean, found.directions, found.variances, found.total)

    def players(self, model: LatentModel, config: PcaConfig) -> Sequence[Player[PcaConfig]]:
        """Nobody: nothing is left to descend."""
        return []

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: PcaConfig
    ) -> Mapping[str, Tensor]:
        """The exact log-density, and how far images are from the plane and from the mean."""
        linear = _linear(model)
        return {
            "log_px": linear.log_prob(batch.x),
            "squared_error": linear.error(batch.x),
            "from_mean": linear.distance(batch.x),
        }

    def numpy_form(self, config: PcaConfig) -> LinearForm:
        """One product each way."""
        return LinearForm()

    def protocol(self, config: PcaConfig, pixels: str) -> str:
        """Its pixels have a density."""
        return f"{pixels}, Gaussian density"


def _linear(model: LatentModel) -> LinearGaussian:
    from vaeviewer.backend.models.networks.linear_gaussian import LinearGaussian

    assert isinstance(model, LinearGaussian), "this family builds one"
    return model


FAMILY = Pca()
