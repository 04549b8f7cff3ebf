"""Mean-field variational inference: a free posterior for each image, and none that a network gives.

Each training image has a loc and a scale of its own, which its own gradient moves (Hoffman, Blei, Wang & Paisley,
"Stochastic Variational Inference", 2013); the generative network is that of Kingma & Welling (2013). An inference
network is trained beside them on the same generative network. What its ELBO falls short of is the amortization gap
(Cremer, Li & Duvenaud, "Inference Suboptimality in Variational Autoencoders", 2018, equation 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ELBO, KL, NATS, RECONSTRUCTION, DensityFamily
from vaeviewer.backend.models.fields import ADVANCED, LIVE, ImageNetworks, PixelLikelihood
from vaeviewer.backend.models.fixed import fixed
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
    TrainingImages,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.mean_field import MeanField

AMORTIZED = Metric(
    "amortized",
    "Amortized ELBO",
    NATS,
    better="higher",
    help="The ELBO with the posterior that the inference network gives, under the same generative network.",
    plot="objective",
    loss_title="Amortized loss (−ELBO)",
)
GAP = Metric(
    "gap",
    "Amortization gap",
    NATS,
    better="lower",
    help="What the inference network's ELBO falls short of that of a posterior made for each image alone.",
    plot="gap",
    of=lambda terms: terms["reconstruction"] - terms["kl"] - terms["amortized"],
)


class MeanFieldConfig(PixelLikelihood, ImageNetworks):
    """Settings of mean-field inference."""

    family: Literal["mean-field"] = "mean-field"
    start: Literal["components", "random"] = Field(
        "components",
        title="Start",
        description="Where images begin: at their two principal components, so that like ones are near each other, "
        "or anywhere in the prior.",
    )
    local_steps: int = Field(
        2,
        ge=1,
        le=100,
        title="Steps per image",
        description="How many steps an image's own loc and scale take when it is its turn, before the generative "
        "network takes one.",
        json_schema_extra=LIVE,
    )
    local_rate: float = Field(
        0.3,
        gt=0.0,
        le=1.0,
        title="Step length",
        description="Of these steps, along the natural gradient; 1 leads to the best place at once where log p(x, z) "
        "is quadratic in z, but chance in the gradient then counts in full.",
        json_schema_extra=LIVE,
    )
    search_steps: int = Field(
        8,
        ge=1,
        le=1000,
        title="Search steps",
        description="Steps of the search for the posterior of an image that was not trained on.",
        json_schema_extra=ADVANCED,
    )


class MeanFieldInference(DensityFamily[MeanFieldConfig]):
    """Free posteriors, a generative network, and an inference network beside them."""

    key = "mean-field"
    title = "Mean-field inference"
    sentence = "No network says where an image belongs: each has a place of its own, found step by step."
    source = "Hoffman et al. 2013"
    kin = "variational"
    Config = MeanFieldConfig
    metrics = Metrics((ELBO, RECONSTRUCTION, KL, AMORTIZED, GAP))
    capabilities = Capabilities(per_image=True)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "random": Preset(
            "Images begin anywhere in the prior: like ones find each other in places, and the plane stays a mosaic.",
            {"start": "random"},
        )
    }
    page = Page(
        see="Each point is a cloud <i>q</i>(<i>z</i>|<i>x</i>) with a middle and a width of its own, which its image "
        "alone moves. Nothing carries over from one image to the next but what is drawn there: with the start "
        "“Random” images of one class settle in many places, as no network has to know the way. Held-out images "
        "have no place yet; theirs is searched for step by step whenever one is shown.",
        why="In a VAE one network gives all clouds: it amortizes inference. That is fast, works for new images at once "
        "and keeps like images together, but each cloud is only as good as the network. Here each is the best there "
        "is under this generative network, and the amortization gap is what the network beside it loses. Compare the "
        "curves and the time: a new image costs a search, not a glance.",
        objective="max &nbsp;Σ<sub><i>i</i></sub> &nbsp;E<sub><i>q</i><sub><i>i</i></sub>(<i>z</i>)</sub> "
        "[ log <i>p</i>(<i>x</i><sub><i>i</i></sub>|<i>z</i>) ] − KL( <i>q</i><sub><i>i</i></sub>(<i>z</i>) ‖ "
        "<i>p</i>(<i>z</i>) ), &nbsp; <i>q</i><sub><i>i</i></sub> = N( <i>μ</i><sub><i>i</i></sub>, "
        "<i>σ</i><sub><i>i</i></sub><sup>2</sup> )"
        "<br>over the decoder and every <i>μ</i><sub><i>i</i></sub> and <i>σ</i><sub><i>i</i></sub>",
    )

    def build(self, config: MeanFieldConfig, data: DataSpec) -> LatentModel:
        """Two networks, and a row for each training image."""
        from vaeviewer.backend.models.likelihoods import build_likelihood
        from vaeviewer.backend.models.networks.mean_field import MeanField

        return MeanField(config, data, build_likelihood(config), config.search_steps)

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: MeanFieldConfig,
        generator: torch.Generator,
    ) -> None:
        """Give each image a place to begin at, and a deviation of a tenth of the prior's."""
        import torch

        from vaeviewer.backend.chunks import parts, rows_at_once
        from vaeviewer.backend.models.networks.components import principal_components

        free = _free(model)
        free.log_variance.fill_(-4.6)  # 2 log 0.1
        if config.start == "random":
            free.loc.copy_(torch.randn(free.loc.shape, generator=generator))
            return
        found = principal_components(images, config.latent_dim, generator)
        for part in parts(len(images), rows_at_once(images[:1].numel())):
            x = images[part].permute(0, 2, 3, 1).flatten(1).cpu().double()
            codes = (x - found.mean) @ found.directions.T
            free.loc[part, : len(found.variances)] = (
                (codes / found.variances.clamp(min=1e-9).sqrt()).float().to(free.loc.device)
            )

    def players(self, model: LatentModel, config: MeanFieldConfig) -> Sequence[Player[MeanFieldConfig]]:
        """The generative network, after each image of the batch has moved; then the inference network beside it."""
        free = _free(model)

        def generation(batch: Batch, config: MeanFieldConfig) -> Objective:
            n, dim = len(batch.x), config.latent_dim
            q = free.remembered(batch.rows)
            for _ in range(config.local_steps):
                q = free.improve(batch.rows, batch.x, batch.noise(1, n, dim), config.local_rate)
            terms = free.elbo_terms(batch.x, q, batch.noise(1, n, dim))
            means = {key: values.mean() for key, values in terms.items()}
            return Objective(means["kl"] - means["reconstruction"], means, q)

        def inference(batch: Batch, config: MeanFieldConfig) -> Objective:
            noise = batch.noise(1, len(batch.x), config.latent_dim)
            with fixed(free.decoder, free.likelihood):
                terms = free.elbo_terms(batch.x, free.by_network(batch.x), noise)
            elbo = (terms["reconstruction"] - terms["kl"]).mean()
            return Objective(-elbo, {"amortized": elbo})

        generative = [*free.decoder.parameters(), *free.likelihood.parameters()]
        return [
            Player("generation", generative, generation),
            Player("inference", list(free.encoder.parameters()), inference),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: MeanFieldConfig
    ) -> Mapping[str, Tensor]:
        """The ELBO of each image's own posterior, searched for where it was not trained on, and of the network's."""
        free = _free(model)
        own = free.remembered(batch.rows) if bool((batch.rows >= 0).all()) else free.search(batch.x)
        amortized = free.elbo_terms(batch.x, free.by_network(batch.x), noise)
        return {
            **free.elbo_terms(batch.x, own, noise),
            "amortized": amortized["reconstruction"] - amortized["kl"],
        }


def _free(model: LatentModel) -> MeanField:
    from vaeviewer.backend.models.networks.mean_field import MeanField

    assert isinstance(model, MeanField), "this family builds one"
    return model


FAMILY = MeanFieldInference()
