"""The variational autoencoder of Kingma & Welling, "Auto-Encoding Variational Bayes" (2013)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ElboFamily
from vaeviewer.backend.models.fields import ADVANCED, ElboObjective, ImageNetworks
from vaeviewer.backend.models.interface import Batch, DataSpec, Objective, Page, Player, Preset
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from vaeviewer.backend.models.latent_model import LatentModel


class VaeConfig(ElboObjective, ImageNetworks):
    """Settings of the VAE."""

    family: Literal["vae"] = "vae"
    samples: int = Field(
        1,
        ge=1,
        le=100,
        title="Samples per image",
        description="L: how many z are drawn from q(z|x) per image and step.",
        json_schema_extra=ADVANCED,
    )
    free_bits: float = Field(
        0.0,
        ge=0.0,
        le=100.0,
        title="Free bits",
        description="λ, in nats: as long as the KL of a number of z, averaged over the batch, is below it, training "
        "does not lower it any further (Kingma et al. 2016), so that no number of z falls asleep at the start.",
        json_schema_extra=ADVANCED,
    )


class VAE(ElboFamily[VaeConfig]):
    """Inference network q(z|x), standard normal prior p(z), generative network p(x|z)."""

    key = "vae"
    title = "Variational autoencoder"
    sentence = "Each image becomes a small cloud q(z|x) in the plane; together the clouds fill the prior."
    source = "Kingma & Welling 2013"
    kin = "variational"
    Config = VaeConfig
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
            kl = means["kl"]
            if config.free_bits:
                kl = kl_by_dimension(posterior).mean(0).clamp(min=config.free_bits).sum()
            # Equation 10, averaged over the batch; β as in Higgins et al. (2017).
            objective = means["reconstruction"] - config.beta_at(batch.step) * kl
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


def elbo_terms(
    model: LatentModel, x: Tensor, noise: Tensor, y: Tensor | None = None
) -> tuple[dict[str, Tensor], Normal]:
    """The ELBO's terms of each image and q(z|x); Kingma & Welling 2013, equations 10 and 24, and appendix B.

    Args:
        model: With a diagonal Gaussian q(z|x) and a standard normal p(z).
        x: ``(n, C, H, W)``.
        noise: ε ~ N(0, I), ``(samples, n, latent_dim)``.
        y: Classes, int64 ``(n,)``, for a model that sees them.

    Returns:
        ``reconstruction``, the mean of log p(x|z) over the samples, and ``kl`` in closed form, each ``(n,)``, nats.
    """
    from torch.distributions import Normal

    q = model.encode(x, y)
    assert isinstance(q, Normal), "this family's encoder gives one"
    z = q.loc + q.scale * noise  # reparameterization: gradients pass through the sample
    reconstruction = model.decode(z, y).log_prob(x).mean(0)
    return {"reconstruction": reconstruction, "kl": kl_by_dimension(q).sum(-1)}, q


def kl_by_dimension(q: Normal) -> Tensor:
    """KL(q(z|x) ‖ N(0, I)) of each number of z in nats, shaped as ``q.loc``; Kingma & Welling 2013, appendix B."""
    return 0.5 * (q.loc.square() + q.scale.square() - 2.0 * q.scale.log() - 1.0)


FAMILY = VAE()
