"""The conditional VAE: both networks see the class y of an image, so that z need not say it.

Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models" (2015), the bound
of equation 4: their input x is the class here, their output y the image, and the prior does not depend on the class,
as they allow for. So it is the model of Kingma, Mohamed, Rezende & Welling, "Semi-supervised Learning with Deep
Generative Models" (2014), equation 2, with every label known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from vaeviewer.backend.models.bound import ELBO, KL, RECONSTRUCTION, ElboFamily
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.fields import ElboObjective, ImageNetworks
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Metrics,
    Objective,
    Page,
    Player,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel


class ConditionalConfig(ElboObjective, ImageNetworks):
    """Settings of the conditional VAE."""

    family: Literal["conditional"] = "conditional"


class Conditional(ElboFamily[ConditionalConfig]):
    """Inference network q(z|x, y), standard normal prior p(z), generative network p(x|z, y)."""

    key = "conditional"
    kin = "variational"
    title = "Conditional VAE"
    sentence = (
        "It is told the class of each image, so z says how it is drawn; you choose the class while dragging."
    )
    source = "Sohn et al. 2015, Kingma et al. 2014"
    Config = ConditionalConfig
    metrics = Metrics(
        (
            replace(
                ELBO,
                help="Evidence lower bound: reconstruction − KL, at most log p(x|y), how probable the image is given "
                "its class. Training raises it.",
            ),
            replace(
                RECONSTRUCTION,
                help="E_q[log p(x|z, y)]: how well z drawn from the posterior decodes to the image of its class, "
                "summed over pixels.",
            ),
            replace(KL, help="KL(q(z|x, y) ‖ p(z)): what z has to say of an image beyond its class."),
        )
    )
    capabilities = Capabilities(uses_labels=True)
    bounds_given_class = True
    page = Page(
        see="The classes do not part here as in a VAE: both networks are told the class <i>y</i>, so the plane need "
        "not say it, and each class fills all of the prior. What is left for <i>z</i> is how an image is drawn: slant, "
        "thickness, width. The images below the plane are all of one <i>z</i>, one for each class: the same "
        "handwriting. Choose a class there or by its key, also while you drag.",
        why="The KL makes every nat in <i>z</i> cost something, and the class is known for nothing: saying it again in "
        "<i>z</i> would only make the KL larger. So its ELBO, a bound on log <i>p</i>(<i>x</i>|<i>y</i>), is above "
        "that of a VAE with as many numbers in <i>z</i>. Select an image in the plane, and its reconstruction is made "
        "with its own class; then choose another class, and see the same hand write that.",
        objective="max &nbsp;E<sub><i>q</i>(<i>z</i>|<i>x</i>, <i>y</i>)</sub> "
        "[ log <i>p</i>(<i>x</i>|<i>z</i>, <i>y</i>) ] − "
        "<i>β</i> KL( <i>q</i>(<i>z</i>|<i>x</i>, <i>y</i>) ‖ <i>p</i>(<i>z</i>) ), "
        "<br>for <i>β</i> = 1 at most log <i>p</i>(<i>x</i>|<i>y</i>)",
    )

    def build(self, config: ConditionalConfig, data: DataSpec) -> LatentModel:
        """An encoder to means and log-variances, and its mirror, which both see the class."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.likelihoods import build_likelihood

        likelihood = build_likelihood(config)
        return Autoencoder(config, data.image, likelihood, gaussian=True, classes=data.classes)

    def players(self, model: LatentModel, config: ConditionalConfig) -> Sequence[Player[ConditionalConfig]]:
        """One: encoder and decoder together raise the bound."""

        def loss(batch: Batch, config: ConditionalConfig) -> Objective:
            noise = batch.noise(1, len(batch.x), config.latent_dim)
            terms, posterior = elbo_terms(model, batch.x, noise, batch.y)
            means = {key: values.mean() for key, values in terms.items()}
            objective = means["reconstruction"] - config.beta_at(batch.step) * means["kl"]
            return Objective(-objective, means, posterior)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: ConditionalConfig
    ) -> Mapping[str, Tensor]:
        """The bound's terms, averaged over the noise's samples."""
        return elbo_terms(model, batch.x, noise, batch.y)[0]

    def numpy_form(self, config: ConditionalConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)


FAMILY = Conditional()
