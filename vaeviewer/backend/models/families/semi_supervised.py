"""Semi-supervised learning with a generative model: most images have no label, and all help to tell classes apart.

Kingma, Mohamed, Rezende & Welling, "Semi-supervised Learning with Deep Generative Models" (2014), whose equation
numbers these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ELBO, DensityFamily
from vaeviewer.backend.models.fields import ADVANCED, LIVE, ImageNetworks, PixelLikelihood
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    ImageSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
    TrainingImages,
)
from vaeviewer.backend.models.networks.numpy_mlp import NumpyForm

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.semi_supervised import SemiSupervised

NATS = "nats per image"

LABELLED_AT_ONCE = 100
"""Labelled images in each step; where there are more, others each time."""

ACCURACY = Metric(
    "accuracy",
    "Accuracy",
    "share of images",
    better="higher",
    help="How many images q(y|x) puts into their class: of those with a label while it trains, of held-out images, "
    "which say how good it is, else.",
    plot="accuracy",
)
RECONSTRUCTION = Metric(
    "reconstruction",
    "Reconstruction",
    NATS,
    better="higher",
    help="E[log p(x|z, y)] over q(y|x) and q(z|x, y): how well the image is drawn without being told its class.",
    plot="objective",
    loss_title="Reconstruction error",
)
KL = Metric(
    "kl",
    "KL",
    NATS,
    help="KL(q(z, y|x) ‖ p(z) p(y)): what class and code of an image cost together.",
    plot="kl",
)
CLASS_LOSS = Metric(
    "class_loss",
    "Class loss",
    "nats per image",
    better="lower",
    help="−log q(y|x) at the true class: of images with a label while it trains, of held-out images else.",
    plot="classes",
)


class SemiSupervisedConfig(PixelLikelihood, ImageNetworks):
    """Settings of M2 and M1+M2."""

    family: Literal["semi-supervised"] = "semi-supervised"
    variant: Literal["M2", "M1+M2"] = Field(
        "M1+M2",
        title="Model",
        description="M2 sees the images themselves. M1+M2 first makes features of them, the codes of a VAE (M1), which "
        "M2 sees in their place.",
    )
    labels: int = Field(
        100,
        ge=1,
        le=3000,
        title="Labels",
        description="Of how many images the class is known, as many of each class as can be, drawn by the seed; the "
        "labels of all others are never read.",
    )
    learn_from: Literal["all images", "labelled images"] = Field(
        "all images",
        title="Learn from",
        description="All images, or, to compare, those with a label alone: then the same classifier learns as it would "
        "without a generative model.",
    )
    alpha: float = Field(
        3.0,
        ge=0.0,
        le=1000.0,
        title="α",
        description="Weight of the classifier's loss on labelled images beside the bound, both in nats per image: that "
        "of equation 9 over the number of images, in the paper 0.1.",
        json_schema_extra=LIVE,
    )
    features: int = Field(
        50,
        ge=1,
        le=256,
        title="Features",
        description="Numbers in z₁, the codes of M1, with M1+M2.",
        json_schema_extra=ADVANCED,
    )
    feature_hidden: int = Field(
        500,
        ge=1,
        le=8192,
        title="Hidden units for features",
        description="Of the one hidden layer that each network of M2 has with M1+M2.",
        json_schema_extra=ADVANCED,
    )

    def widest(self, values: int) -> int:
        """As there."""
        return max(super().widest(values), self.feature_hidden)


class SemiSupervisedFamily(DensityFamily[SemiSupervisedConfig]):
    """Classifier q(y|x), inference network q(z|x, y), priors p(y) and p(z), generative network p(x|z, y)."""

    key = "semi-supervised"
    kin = "variational"
    title = "Semi-supervised VAE"
    sentence = "It is told the class of a few images, and finds that of all others: every image helps its classifier."
    source = "Kingma et al. 2014"
    Config = SemiSupervisedConfig
    metrics = Metrics(
        (
            ACCURACY,
            replace(
                ELBO,
                help="Evidence lower bound: reconstruction − KL, at most log p(x), of images without labels.",
            ),
            RECONSTRUCTION,
            KL,
            CLASS_LOSS,
        )
    )
    capabilities = Capabilities(uses_labels=True)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "images": Preset(
            "M2 on the images themselves. Its classes are easily others than those of the labels: see whether its "
            "accuracy rises above that of “Supervised”.",
            {"variant": "M2"},
        ),
        "supervised": Preset(
            "The same classifier from the labelled images alone: what accuracy images without a label add to.",
            {"variant": "M2", "learn_from": "labelled images"},
        ),
    }
    page = Page(
        see="As in a conditional VAE the class <i>y</i> is apart from <i>z</i>, so each class fills the plane, and the "
        "images below it are of one handwriting. But here the class of nearly all images is unknown: a classifier "
        "<i>q</i>(<i>y</i>|<i>x</i>) guesses it, and each point lies where its guess puts it. The curve “Accuracy” is "
        "what counts: how many held-out images, of which no label was ever seen, are put into their class.",
        why="Of an image without a label the bound takes the mean over all classes. An image is drawn best as what it "
        "is, so the bound grows when the classifier names that class; and what the classifier learns so from all "
        "images it never could from a few. Compare the preset “Supervised”. With too few labels a class may be taken "
        "for another, and both draw the same digits: look at the row below the plane.",
        objective="max &nbsp;E<sub><i>q</i>(<i>y</i>|<i>x</i>)</sub> [ −<i>L</i>(<i>x</i>, <i>y</i>) ] + "
        "H( <i>q</i>(<i>y</i>|<i>x</i>) ) &nbsp; without a label, <br>−<i>L</i>(<i>x</i>, <i>y</i>) + "
        "<i>α</i> log <i>q</i>(<i>y</i>|<i>x</i>) &nbsp; with one,"
        "<br>−<i>L</i>(<i>x</i>, <i>y</i>) = E<sub><i>q</i>(<i>z</i>|<i>x</i>, <i>y</i>)</sub> "
        "[ log <i>p</i>(<i>x</i>|<i>z</i>, <i>y</i>) ] − "
        "KL( <i>q</i>(<i>z</i>|<i>x</i>, <i>y</i>) ‖ <i>p</i>(<i>z</i>) ) + log <i>p</i>(<i>y</i>)",
    )

    def build(self, config: SemiSupervisedConfig, data: DataSpec) -> LatentModel:
        """M2 on the images, or on features of them."""
        from vaeviewer.backend.models.networks.semi_supervised import M1M2, M2

        return M2(config, data) if config.variant == "M2" else M1M2(config, data)

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: SemiSupervisedConfig,
        generator: torch.Generator,
    ) -> None:
        """Choose the images whose labels it may know, and keep them with it: no other label is read from here on."""
        from vaeviewer.backend.models.networks.semi_supervised import balanced_rows

        assert labels is not None, "this family uses labels"
        model = _semi_supervised(model)
        rows = balanced_rows(labels, len(model.labelled_classes), generator)
        model.labelled_levels.copy_((images[rows] * 255.0).round())
        model.labelled_classes.copy_(labels[rows.to(labels.device)])

    def players(
        self, model: LatentModel, config: SemiSupervisedConfig
    ) -> Sequence[Player[SemiSupervisedConfig]]:
        """M2 is one; M1, which takes no notice of it, another."""
        from vaeviewer.backend.models.families.vae import elbo_terms
        from vaeviewer.backend.models.networks.semi_supervised import M1M2, entropy

        networks = _semi_supervised(model)
        if not isinstance(networks, M1M2):

            def of_images(batch: Batch, config: SemiSupervisedConfig) -> Objective:
                labelled, y = networks.labelled(batch, LABELLED_AT_ONCE)
                return _loss(networks, batch, config, batch.x, labelled, y)

            return [Player("M2", list(model.parameters()), of_images)]
        first, both = networks.first, networks

        def of_first(batch: Batch, config: SemiSupervisedConfig) -> Objective:
            terms, _ = elbo_terms(first, batch.x, batch.noise(1, len(batch.x), config.features))
            means = {key: values.mean() for key, values in terms.items()}
            # Equation 5.
            return Objective(
                means["kl"] - means["reconstruction"], {"reconstruction": means["reconstruction"]}
            )

        def of_features(batch: Batch, config: SemiSupervisedConfig) -> Objective:
            import torch

            labelled, y = both.labelled(batch, LABELLED_AT_ONCE)
            with torch.no_grad():  # features are data to M2
                q = both.first_posterior(torch.cat([batch.x, labelled]))
                z1 = q.loc + q.scale * batch.noise(*q.loc.shape)
                spread = entropy(q)[: len(batch.x)].mean()
            found = _loss(both, batch, config, z1[: len(batch.x)], z1[len(batch.x) :], y)
            terms = {**found.terms, "kl": found.terms["kl"] - found.terms["reconstruction"] - spread}
            del terms["reconstruction"]  # that of features; M1 has that of images
            return Objective(found.loss, terms, found.posterior)

        return [
            Player("M1", list(first.parameters()), of_first),
            Player("M2", both.second(), of_features),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: SemiSupervisedConfig
    ) -> Mapping[str, Tensor]:
        """The bound's terms, averaged over the noise's samples, and how well q(y|x) knows the class."""
        from torch.nn.functional import cross_entropy

        from vaeviewer.backend.models.networks.semi_supervised import M1M2, entropy

        model = _semi_supervised(model)
        assert batch.y is not None, "this family uses labels"
        logits = model.classify(model.observed(batch.x))
        totals = {
            "accuracy": (logits.argmax(1) == batch.y).float(),
            "class_loss": cross_entropy(logits, batch.y, reduction="none"),
            "reconstruction": 0.0 * batch.x.flatten(1)[:, 0],
            "kl": 0.0 * batch.x.flatten(1)[:, 0],
        }
        for one in noise:
            if isinstance(model, M1M2):
                q = model.first_posterior(batch.x)
                z1 = q.loc + q.scale * batch.noise(*q.loc.shape)
                reconstruction = model.first.decode(z1).log_prob(batch.x)
                # log p(x) ≥ E[log p(x|z₁)] + H(q(z₁|x)) − E[U(z₁)]: M2's bound is that of log p(z₁).
                kl = -entropy(q) - model.bound(z1, one).value
            else:
                bound = model.bound(batch.x, one)
                reconstruction, kl = bound.reconstruction, bound.kl
            totals["reconstruction"] = totals["reconstruction"] + reconstruction / len(noise)
            totals["kl"] = totals["kl"] + kl / len(noise)
        return totals

    def no_density(self, config: SemiSupervisedConfig) -> str:
        """M1+M2 draws features between z and the image."""
        if config.variant == "M2":
            return ""
        return "M1+M2 draws features z₁ between z and the image, so that p(x|z, y) is itself an integral over them."

    def numpy_form(self, config: SemiSupervisedConfig) -> NumpyForm | None:
        """Where it is fully connected NumPy decodes."""
        if config.network != "mlp":
            return None
        from vaeviewer.backend.models.networks.numpy_semi_supervised import M1M2Form, M2Form

        return M2Form(config.activation) if config.variant == "M2" else M1M2Form(config.activation)

    def objective(self, config: SemiSupervisedConfig, terms: Mapping[str, Any]) -> Any:
        """The bound: what explodes first."""
        return terms["reconstruction"] - terms["kl"]

    def derived(
        self, config: SemiSupervisedConfig, image: ImageSpec, held_out: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Bits per dimension, of the bound."""
        return super().derived(config, image, {"accuracy": held_out["elbo"]})


def _loss(
    model: SemiSupervised,
    batch: Batch,
    config: SemiSupervisedConfig,
    unlabelled: Tensor,
    labelled: Tensor,
    y: Tensor,
) -> Objective:
    """J^α of equation 9 for one image, from what M2 observes of a batch and of the labelled images of classes ``y``."""
    import torch
    from torch.nn.functional import cross_entropy

    uses_all = config.learn_from == "all images"
    with torch.set_grad_enabled(uses_all and torch.is_grad_enabled()):
        bound = model.bound(unlabelled, batch.noise(len(unlabelled), config.latent_dim))
    logits = model.classify(labelled)
    class_loss = cross_entropy(logits, y)
    known = model.labelled_bound(labelled, y, batch.noise(len(y), config.latent_dim)).mean()
    loss = config.alpha * class_loss - model.labelled_share * known
    if uses_all:
        loss = loss - bound.value.mean()
    terms = {
        "accuracy": (logits.argmax(1) == y).float().mean(),
        "class_loss": class_loss,
        "reconstruction": bound.reconstruction.mean(),
        "kl": bound.kl.mean(),
    }
    return Objective(loss, terms, bound.posterior)


def _semi_supervised(model: LatentModel) -> SemiSupervised:
    from vaeviewer.backend.models.networks.semi_supervised import SemiSupervised

    assert isinstance(model, SemiSupervised), "this family built it"
    return model


FAMILY = SemiSupervisedFamily()
