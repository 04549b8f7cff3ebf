"""The importance weighted autoencoder of Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders" (2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ELBO, KL, NATS, RECONSTRUCTION, DensityFamily, kl_symptoms
from vaeviewer.backend.models.families.vae import kl_by_dimension
from vaeviewer.backend.models.fields import ImageNetworks, PixelLikelihood
from vaeviewer.backend.models.interface import (
    Batch,
    DataSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of
from vaeviewer.backend.models.symptoms import Symptom

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from vaeviewer.backend.models.latent_model import LatentModel

BOUND = Metric(
    "bound",
    "Bound",
    NATS,
    better="higher",
    help="L_k, the importance-weighted bound: at least the ELBO, at most log p(x), and nearer to that the larger k is. "
    "Training raises it.",
    plot="objective",
    loss_title="Loss (−L_k)",
)
PLAIN_ELBO = replace(
    ELBO, help="Reconstruction − KL, the bound of a VAE with these weights: what k = 1 would say."
)


class IwaeConfig(PixelLikelihood, ImageNetworks):
    """Settings of the importance weighted autoencoder."""

    family: Literal["iwae"] = "iwae"
    importance_samples: int = Field(
        5,
        ge=1,
        le=500,
        title="Importance samples",
        description="k: how many z are drawn from q(z|x) per image and step, and weighed by p(x, z) / q(z|x). With one "
        "it is a VAE; a step takes about as much longer as there are more.",
    )


class IWAE(DensityFamily[IwaeConfig]):
    """The networks of a VAE, trained on a bound that k samples make tighter."""

    key = "iwae"
    title = "Importance weighted autoencoder"
    sentence = (
        "A VAE that draws several codes per image and lets the good ones count: its clouds may be wider."
    )
    source = "Burda et al. 2015"
    kin = "variational"
    Config = IwaeConfig
    metrics = Metrics((BOUND, PLAIN_ELBO, RECONSTRUCTION, KL))
    presets = {  # noqa: RUF012  # read only, as the interface says
        "paper": Preset(
            "Two hidden layers of 200 tanh units, 50 latent dimensions, k = 50 and batches of 20 of binarised images, "
            "as in Burda et al. (2015), with one learning rate for a few epochs instead of 3,280.",
            {
                "hidden": (200, 200),
                "activation": "tanh",
                "latent_dim": 50,
                "importance_samples": 50,
                "batch_size": 20,
                "learning_rate": 1e-3,
                "schedule": "constant",
                "protocol": "dynamic",
            },
        )
    }
    page = Page(
        see="As with a VAE each image is a cloud <i>q</i>(<i>z</i>|<i>x</i>) around its point. The clouds are wider "
        "than there, and overlap more: click a point and look at its dashed ellipse. Among the curves the bound lies "
        "above the ELBO of the same weights; between it and log <i>p</i>(<i>x</i>) lies what is still lost.",
        why="A VAE's ELBO punishes every code that explains its image badly, so its clouds keep to the codes that are "
        "safe. Here <i>k</i> codes are drawn and averaged before the logarithm: one good code among them is enough, "
        "and the others cost little. So the true posterior may have any shape that a cloud can cover. Train once with "
        "<i>k</i> = 1, which is the VAE, and once with 20, and compare the ellipses.",
        objective="max &nbsp;<i>L<sub>k</sub></i> = E<sub><i>z</i><sub>1</sub> … <i>z<sub>k</sub></i> ~ "
        "<i>q</i>(<i>z</i>|<i>x</i>)</sub> [ log <sup>1</sup>⁄<sub><i>k</i></sub> Σ<sub><i>i</i></sub> "
        "<i>p</i>(<i>x</i>, <i>z<sub>i</sub></i>) / <i>q</i>(<i>z<sub>i</sub></i>|<i>x</i>) ] "
        "<br>ELBO = <i>L</i><sub>1</sub> ≤ <i>L</i><sub>2</sub> ≤ … ≤ log <i>p</i>(<i>x</i>)",
    )

    def build(self, config: IwaeConfig, data: DataSpec) -> LatentModel:
        """A VAE's networks."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.likelihoods import build_likelihood

        return Autoencoder(config, data.image, build_likelihood(config), gaussian=True)

    def players(self, model: LatentModel, config: IwaeConfig) -> Sequence[Player[IwaeConfig]]:
        """One: encoder and decoder together raise L_k."""

        def loss(batch: Batch, config: IwaeConfig) -> Objective:
            q = posterior(model, batch.x)
            noise = batch.noise(config.importance_samples, len(batch.x), config.latent_dim)
            log_likelihood, log_weight = weighed(model, batch.x, q, noise)
            # Its gradient is that of Σ w̃_i log w_i with the normalised weights w̃_i held fixed (section 3).
            bound = log_mean(log_weight).mean()
            terms = {
                "bound": bound,
                "reconstruction": log_likelihood.mean(),
                "kl": kl_by_dimension(q).sum(-1).mean(),
            }
            return Objective(-bound, terms, q)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: IwaeConfig
    ) -> Mapping[str, Tensor]:
        """L_k with k codes of each image, drawn one after the other to save memory; the ELBO's terms over the same."""
        import torch

        q = posterior(model, batch.x)
        draws = [
            weighed(model, batch.x, q, batch.noise(1, *q.loc.shape)) for _ in range(config.importance_samples)
        ]
        log_likelihood, log_weight = (torch.cat(each) for each in zip(*draws, strict=True))
        return {
            "bound": log_mean(log_weight),
            "reconstruction": log_likelihood.mean(0),
            "kl": kl_by_dimension(q).sum(-1),
        }

    def numpy_form(self, config: IwaeConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)

    def symptoms(self, config: IwaeConfig, terms: Mapping[str, float], step: int) -> Sequence[Symptom]:
        """As of a VAE."""
        return kl_symptoms(terms["kl"], config.latent_dim, beta=1.0, warmed=None)


def posterior(model: LatentModel, x: Tensor) -> Normal:
    """q(z|x), a diagonal Gaussian."""
    from torch.distributions import Normal

    q = model.encode(x)
    assert isinstance(q, Normal), "this family's encoder gives one"
    return q


def weighed(model: LatentModel, x: Tensor, q: Normal, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Codes drawn from q(z|x), judged: log p(x|z_i), and log w_i = log p(x, z_i) − log q(z_i|x), in nats.

    Args:
        model: With a standard normal p(z).
        x: ``(n, C, H, W)``.
        q: q(z|x) of these images.
        noise: ε ~ N(0, I), ``(k, n, latent_dim)``.

    Returns:
        Each ``(k, n)``.
    """
    z = q.loc + q.scale * noise
    log_likelihood = model.decode(z).log_prob(x)
    # Both densities' constants cancel.
    log_ratio = (0.5 * (noise.square() - z.square()) + q.scale.log()).sum(-1)
    return log_likelihood, log_likelihood + log_ratio


def log_mean(log_weight: Tensor) -> Tensor:
    """L_k of each image, ``(n,)``, from log w_i, ``(k, n)``: log (1/k) Σ w_i, equation 8."""
    return log_weight.logsumexp(0) - math.log(len(log_weight))


FAMILY = IWAE()
