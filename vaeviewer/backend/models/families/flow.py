"""A VAE whose posterior is bent by a normalizing flow.

Rezende & Mohamed, "Variational Inference with Normalizing Flows" (2015), and Kingma et al., "Improved Variational
Inference with Inverse Autoregressive Flow" (2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ElboFamily
from vaeviewer.backend.models.fields import ADVANCED, ElboObjective, ImageNetworks
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Objective,
    Page,
    Player,
    Preset,
)

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.flows import FlowPosterior


class FlowConfig(ElboObjective, ImageNetworks):
    """Settings of the VAE with a flow posterior."""

    family: Literal["flow"] = "flow"
    flow: Literal["autoregressive", "planar"] = Field(
        "autoregressive",
        title="Flow",
        description="What bends the Gaussian: inverse autoregressive steps (Kingma et al. 2016), or planar ones "
        "(Rezende & Mohamed 2015), each of which squeezes or stretches it along one direction.",
    )
    flow_steps: int = Field(
        8,
        ge=1,
        le=64,
        title="Flow steps",
        description="How many such maps follow one another; more of them bend more.",
    )
    flow_hidden: int = Field(
        64,
        ge=1,
        le=1024,
        title="Flow units",
        description="Units of each autoregressive step's network, and as many numbers that the inference network tells "
        "them of an image; planar steps have none.",
        json_schema_extra=ADVANCED,
    )


class FlowVAE(ElboFamily[FlowConfig]):
    """A Gaussian q(z₀|x), carried through a chain of invertible maps."""

    key = "flow"
    title = "VAE with a flow posterior"
    sentence = "Its clouds are no ellipses: invertible maps bend each one to where its image can come from."
    source = "Rezende & Mohamed 2015, Kingma et al. 2016"
    kin = "variational"
    Config = FlowConfig
    capabilities = Capabilities(gaussian_posterior=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "planar": Preset("Eight planar maps, as in Rezende & Mohamed (2015).", {"flow": "planar"})
    }
    page = Page(
        see="Click a point: small dots are codes drawn from its <i>q</i>(<i>z</i>|<i>x</i>), the shade is its density, "
        "and the two lines are what became of the circles at 1 and 2 standard deviations. A VAE would draw an ellipse "
        "with its axes along <i>z</i><sub>1</sub> and <i>z</i><sub>2</sub>; here the cloud may lean, or bend "
        "around another class.",
        why="Where an image could come from need not be an ellipse: from here, say, or from further along the rim of "
        "its class. A Gaussian that is forced on such a shape loses KL(<i>q</i> ‖ <i>p</i>(<i>z</i>|<i>x</i>)) of the "
        "bound. Most of that is lost by the inference network, though: a Gaussian searched for each image alone, as in "
        "mean-field inference, loses little. The flow starts from a Gaussian <i>z</i><sub>0</sub> and bends it step by "
        "step; as each step can be undone, the density is known everywhere: what is stretched gets thinner.",
        objective="max &nbsp;E<sub><i>q</i>(<i>z</i><sub>0</sub>|<i>x</i>)</sub> [ log <i>p</i>(<i>x</i>|<i>z</i>) + "
        "<i>β</i> ( log <i>p</i>(<i>z</i>) − log <i>q</i>(<i>z</i><sub>0</sub>|<i>x</i>) "
        "<br>+ Σ<sub><i>t</i></sub> log |det ∂<i>z<sub>t</sub></i> / ∂<i>z</i><sub><i>t</i>−1</sub>| ) ]"
        "<br><i>z</i> = <i>f<sub>T</sub></i>( … <i>f</i><sub>1</sub>(<i>z</i><sub>0</sub>))",
    )

    def build(self, config: FlowConfig, data: DataSpec) -> LatentModel:
        """An encoder to the Gaussian and the flow's context, the flow, and a decoder."""
        from vaeviewer.backend.models.likelihoods import build_likelihood
        from vaeviewer.backend.models.networks import flows

        d, steps = config.latent_dim, config.flow_steps
        flow: flows.Flow = flows.AutoregressiveFlow(d, steps, config.flow_hidden)
        if config.flow == "planar":
            flow = flows.PlanarFlow(d, steps)
        return flows.FlowAutoencoder(config, data.image, build_likelihood(config), flow)

    def players(self, model: LatentModel, config: FlowConfig) -> Sequence[Player[FlowConfig]]:
        """One: encoder, flow and decoder together raise the ELBO."""

        def loss(batch: Batch, config: FlowConfig) -> Objective:
            terms, posterior = elbo_terms(model, batch.x, batch.noise(1, len(batch.x), config.latent_dim))
            means = {key: values.mean() for key, values in terms.items()}
            objective = means["reconstruction"] - config.beta_at(batch.step) * means["kl"]
            return Objective(-objective, means, posterior)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: FlowConfig
    ) -> Mapping[str, Tensor]:
        """The ELBO's terms, averaged over the noise's samples."""
        return elbo_terms(model, batch.x, noise)[0]


def elbo_terms(model: LatentModel, x: Tensor, noise: Tensor) -> tuple[dict[str, Tensor], FlowPosterior]:
    """The ELBO's terms of each image and q(z|x); Rezende & Mohamed 2015, equation 15.

    Args:
        model: With a flow posterior.
        x: ``(n, C, H, W)``.
        noise: ε ~ N(0, I), ``(samples, n, latent_dim)``.

    Returns:
        ``reconstruction`` and ``kl``, means over the samples of log p(x|z) and log q(z|x) − log p(z), each ``(n,)``,
        nats. Of a single image the latter may be below 0.
    """
    from vaeviewer.backend.models.networks.flows import FlowPosterior

    q = model.encode(x)
    assert isinstance(q, FlowPosterior), "this family's encoder gives one"
    z, log_q = q.at(noise)
    reconstruction = model.decode(z).log_prob(x).mean(0)
    return {"reconstruction": reconstruction, "kl": (log_q - model.prior().log_prob(z)).mean(0)}, q


FAMILY = FlowVAE()
