"""The variational autoencoder of Kingma & Welling, "Auto-Encoding Variational Bayes" (2013)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from vaeviewer.backend.models.fields import ADVANCED, LIVE, ImageNetworks, PixelLikelihood
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    ImageSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from vaeviewer.backend.models.latent_model import LatentModel

NATS = "nats per image"

COLLAPSED_KL = 0.05
"""A posterior has collapsed when the median KL of many steps is below this, in nats per image: nothing that could tell
images apart …"""

LARGE_BETA = 10.0
"""… and β is so large that it is the likely reason. Below it a small KL has other ones, such as few images."""

NEAR_ZERO_KL = 0.1
"""KL, in nats per image, below which q(z|x) hardly depends on x, whatever the reason."""

ELBO = Metric(
    "elbo",
    "ELBO",
    NATS,
    better="higher",
    help="Evidence lower bound: reconstruction − KL, at most log p(x). Training raises it.",
    plot="objective",
    loss_title="Loss (−ELBO)",
    of=lambda terms: terms["reconstruction"] - terms["kl"],
)
RECONSTRUCTION = Metric(
    "reconstruction",
    "Reconstruction",
    NATS,
    better="higher",
    help="E_q[log p(x|z)]: how well z drawn from the posterior decodes to the image, summed over pixels.",
    plot="objective",
    loss_title="Reconstruction error",
)
KL = Metric(
    "kl",
    "KL",
    NATS,
    help="KL(q(z|x) ‖ p(z)): how far the posterior is from the prior, what an image's place in the plane costs.",
    plot="kl",
)


class VaeConfig(PixelLikelihood, ImageNetworks):
    """Settings of the VAE."""

    family: Literal["vae"] = "vae"
    beta: float = Field(
        1.0,
        ge=0.0,
        le=1000.0,
        title="β",
        description="Weight of the KL term in the training objective: reconstruction − β·KL. "
        "The ELBO shown is always the true one, with β = 1.",
        json_schema_extra=LIVE,
    )
    samples: int = Field(
        1,
        ge=1,
        le=100,
        title="Samples per image",
        description="L: how many z are drawn from q(z|x) per image and step.",
        json_schema_extra=ADVANCED,
    )


class VAE(Family[VaeConfig]):
    """Inference network q(z|x), standard normal prior p(z), generative network p(x|z)."""

    key = "vae"
    title = "Variational autoencoder"
    sentence = "Each image becomes a small cloud q(z|x) in the plane; together the clouds fill the prior."
    source = "Kingma & Welling 2013"
    kin = "variational"
    Config = VaeConfig
    metrics = Metrics((ELBO, RECONSTRUCTION, KL))
    capabilities = Capabilities()
    presets = {  # noqa: RUF012  # read only, as the interface says
        "paper": Preset(
            "One hidden layer of 500 tanh units, batches of 100 and L = 1 as in Kingma & Welling (2013), "
            "section 5, with Adam for Adagrad.",
            {
                "hidden": (500,),
                "activation": "tanh",
                "batch_size": 100,
                "learning_rate": 1e-3,
                "schedule": "constant",
            },
        )
    }
    page = Page(
        see="Each image is a small cloud <i>q</i>(<i>z</i>|<i>x</i>), and its point is the middle of that cloud. "
        "Images that look alike lie together, and all clouds together fill the circles of the prior "
        "<i>p</i>(<i>z</i>) almost without holes: wherever you drag among them, the decoder has learned what to draw.",
        why="Two terms pull against each other. The reconstruction wants a place of its own for each image; the KL "
        "wants every cloud to be the prior, and so pushes the clouds together until they touch. A code between two "
        "clouds belongs a little to both, and decodes to something between their images. Raise β, and the clouds grow "
        "and merge; at β = 0 they shrink to points, and holes open as in an autoencoder.",
        objective="max &nbsp;E<sub><i>q</i>(<i>z</i>|<i>x</i>)</sub> [ log <i>p</i>(<i>x</i>|<i>z</i>) ] − "
        "<i>β</i> KL( <i>q</i>(<i>z</i>|<i>x</i>) ‖ <i>p</i>(<i>z</i>) ), "
        "<br>for <i>β</i> = 1 this is the ELBO, at most log <i>p</i>(<i>x</i>)",
    )

    def build(self, config: VaeConfig, data: DataSpec) -> LatentModel:
        """An encoder to means and log-variances, and its mirror."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.likelihoods import build_likelihood

        return Autoencoder(config, data.image, build_likelihood(config), gaussian=True)

    def players(self, model: LatentModel, config: VaeConfig) -> Sequence[Player[VaeConfig]]:
        """One: encoder and decoder together raise the ELBO."""

        def loss(batch: Batch, config: VaeConfig) -> Objective:
            n, dim = len(batch.x), config.latent_dim
            terms, posterior = elbo_terms(model, batch.x, batch.noise(config.samples, n, dim))
            means = {key: values.mean() for key, values in terms.items()}
            # Equation 10, averaged over the batch; β as in Higgins et al. (2017).
            objective = means["reconstruction"] - config.beta * means["kl"]
            return Objective(-objective, means, posterior)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: VaeConfig
    ) -> Mapping[str, Tensor]:
        """The ELBO's terms, averaged over the noise's samples."""
        return elbo_terms(model, batch.x, noise)[0]

    def numpy_form(self, config: VaeConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)

    def objective(self, config: VaeConfig, terms: Mapping[str, Any]) -> Any:
        """Reconstruction − β·KL."""
        return terms["reconstruction"] - config.beta * terms["kl"]

    def collapsed(self, config: VaeConfig, terms: Mapping[str, Any]) -> bool:
        """Whether a large β has made the posterior the prior."""
        return config.beta >= LARGE_BETA and bool(np.median(terms["kl"]) < COLLAPSED_KL)

    def warning(self, terms: Mapping[str, float]) -> str:
        """Posterior collapse, whatever the reason."""
        return "KL near zero: posterior collapse — q(z|x) ignores x" if terms["kl"] < NEAR_ZERO_KL else ""

    def suspect(self, config: VaeConfig) -> str:
        """β, where it is large."""
        return "beta" if config.beta >= LARGE_BETA else ""

    def derived(
        self, config: VaeConfig, image: ImageSpec, held_out: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Bits per dimension, where pixels have probabilities of bytes."""
        if config.likelihood != "logistic":
            return {}
        return {"bits_per_dim": -held_out["elbo"] / (image.values * math.log(2.0))}

    def protocol(self, config: VaeConfig, pixels: str) -> str:
        """Whether pixels have probabilities or a density."""
        if config.likelihood == "gaussian":
            return f"{pixels}, Gaussian density"
        if config.likelihood == "logistic":
            return f"{pixels}, discretised logistic"
        return f"{pixels} as Bernoulli probabilities" if pixels == "grey levels" else pixels


def elbo_terms(model: LatentModel, x: Tensor, noise: Tensor) -> tuple[dict[str, Tensor], Normal]:
    """The ELBO's terms of each image and q(z|x); Kingma & Welling 2013, equations 10 and 24, and appendix B.

    Args:
        model: With a diagonal Gaussian q(z|x) and a standard normal p(z).
        x: ``(n, C, H, W)``.
        noise: ε ~ N(0, I), ``(samples, n, latent_dim)``.

    Returns:
        ``reconstruction``, the mean of log p(x|z) over the samples, and ``kl`` in closed form, each ``(n,)``, nats.
    """
    from torch.distributions import Normal

    q = model.encode(x)
    assert isinstance(q, Normal), "this family's encoder gives one"
    z = q.loc + q.scale * noise  # reparameterization: gradients pass through the sample
    reconstruction = model.decode(z).log_prob(x).mean(0)
    kl = 0.5 * (q.loc.square() + q.scale.square() - 2.0 * q.scale.log() - 1.0).sum(-1)
    return {"reconstruction": reconstruction, "kl": kl}, q


FAMILY = VAE()
