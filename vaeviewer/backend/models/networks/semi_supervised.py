"""Networks of "Semi-supervised Learning with Deep Generative Models", Kingma, Mohamed, Rezende & Welling (2014).

All bounds are in nats, of single images; p(y) is uniform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional

from vaeviewer.backend.chunks import parts
from vaeviewer.backend.models.families.vae import kl_by_dimension
from vaeviewer.backend.models.interface import Batch, DataSpec
from vaeviewer.backend.models.latent_model import MAX_LOG_VARIANCE, Autoencoder, LatentModel
from vaeviewer.backend.models.likelihoods import build_likelihood
from vaeviewer.backend.models.networks.choice import inference_network
from vaeviewer.backend.models.networks.mlp import MLP

if TYPE_CHECKING:
    from vaeviewer.backend.models.families.semi_supervised import SemiSupervisedConfig

ROWS_AT_ONCE = 4096
"""What depends on every class is computed for so many classes at a time that there are at most so many rows."""


@dataclass(frozen=True)
class Bound:
    """A lower bound on the log-probability of each of ``n`` observations, ``(n,)``, without their classes.

    Attributes:
        reconstruction: E[log p(v|z, y)] of the observations v.
        kl: KL(q(z, y|v) ‖ p(z) p(y)).
        logits: Of q(y|v), ``(n, classes)``.
        posterior: q(z|v, y) at the most probable class.
    """

    reconstruction: Tensor
    kl: Tensor
    logits: Tensor
    posterior: Normal

    @property
    def value(self) -> Tensor:
        """−U(v), equation 7."""
        return self.reconstruction - self.kl


class SemiSupervised(LatentModel):
    """What M2 and M1+M2 have in common: labelled images, and the two bounds of M2 on what it observes.

    Args:
        config: The settings.
        data: How many classes and images there are.
    """

    classifier: nn.Module
    labelled_levels: Tensor
    labelled_classes: Tensor

    def __init__(self, config: SemiSupervisedConfig, data: DataSpec) -> None:
        super().__init__(config.latent_dim)
        image, count = data.image, min(config.labels, data.images)
        shape = (count, image.channels, image.height, image.width)
        # Grey levels as bytes: they are part of each snapshot.
        self.register_buffer("labelled_levels", torch.zeros(shape, dtype=torch.uint8))
        self.register_buffer("labelled_classes", torch.zeros(count, dtype=torch.int64))
        self.labelled_share = count / max(1, data.images)
        self._classes = data.classes

    def labelled(self, batch: Batch, most: int) -> tuple[Tensor, Tensor]:
        """Pixels ``(k, C, H, W)`` in 0 … 1 of the labelled images and their classes; some where there are many."""
        count = len(self.labelled_classes)
        rows = torch.arange(count, device=self.labelled_classes.device)
        if count > most:
            rows = (batch.uniform(most) * count).long().clamp(max=count - 1)
        return self.labelled_levels[rows].to(batch.x.dtype) / 255.0, self.labelled_classes[rows]

    def observed(self, x: Tensor) -> Tensor:
        """What M2 sees of images, without noise."""
        raise NotImplementedError

    def posterior(self, v: Tensor, y: Tensor) -> Normal:
        """q(z|v, y) of observations ``(n, …)`` and classes ``(n,)``: equation 4."""
        raise NotImplementedError

    def log_likelihood(self, v: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """How probable observations are, log p(v|z, y), ``(n,)``: equation 2."""
        raise NotImplementedError

    def classify(self, v: Tensor) -> Tensor:
        """Logits of q(y|v), ``(n, classes)``."""
        logits: Tensor = self.classifier(v)
        return logits

    def encode(self, x: Tensor, y: Tensor | None = None) -> Normal:
        """q(z|x, y) at the class that q(y|x) finds most probable: ``y`` is not looked at, as most images have none."""
        v = self.observed(x)
        return self.posterior(v, self.classify(v).argmax(1))

    def labelled_bound(self, v: Tensor, y: Tensor, noise: Tensor) -> Tensor:
        """−L(v, y), a bound on log p(v, y), ``(n,)``: equation 6.

        Args:
            v: Observations.
            y: Their classes, ``(n,)``.
            noise: ε ~ N(0, I), ``(n, latent_dim)``.
        """
        q = self.posterior(v, y)
        reconstruction = self.log_likelihood(v, q.loc + q.scale * noise, y)
        return reconstruction - kl_by_dimension(q).sum(-1) - math.log(self._classes)

    def bound(self, v: Tensor, noise: Tensor) -> Bound:
        """−U(v), a bound on log p(v): equation 7, the mean of −L(v, y) over q(y|v), and the entropy of that.

        All classes see the same noise, so that they differ by what they are.

        Args:
            v: Observations.
            noise: ε ~ N(0, I), ``(n, latent_dim)``.
        """
        logits = self.classify(v)
        weights, log_weights = logits.softmax(1), logits.log_softmax(1)
        likely = logits.argmax(1)
        reconstruction = kl = torch.zeros(len(v), device=v.device)
        loc, scale = torch.zeros_like(noise), torch.ones_like(noise)
        for part in parts(self._classes, max(1, ROWS_AT_ONCE // max(1, len(v)))):
            some = torch.arange(self._classes, device=v.device)[part]
            # Rows go through all observations for one class, then for the next.
            y = some.repeat_interleave(len(v))
            seen = v.repeat(len(some), *(1 for _ in v.shape[1:]))
            q = self.posterior(seen, y)
            found = self.log_likelihood(seen, q.loc + q.scale * noise.repeat(len(some), 1), y)
            of_class = weights[:, part].T
            reconstruction = reconstruction + (of_class * found.view(len(some), -1)).sum(0)
            kl = kl + (of_class * kl_by_dimension(q).sum(-1).view(len(some), -1)).sum(0)
            with torch.no_grad():
                chosen = (y == likely.repeat(len(some))).unsqueeze(1)
                loc = loc + (chosen * q.loc).view(len(some), *loc.shape).sum(0)
                scale = scale + (chosen * (q.scale - 1.0)).view(len(some), *loc.shape).sum(0)
        of_y = (weights * log_weights).sum(1) + math.log(self._classes)  # KL(q(y|v) ‖ p(y))
        return Bound(reconstruction, kl + of_y, logits, Normal(loc, scale, validate_args=False))


class M2(SemiSupervised):
    """A conditional VAE on the images, and a classifier q(y|x) beside it."""

    def __init__(self, config: SemiSupervisedConfig, data: DataSpec) -> None:
        super().__init__(config, data)
        likelihood = build_likelihood(config)
        self.given_class = Autoencoder(config, data.image, likelihood, gaussian=True, classes=data.classes)
        self.classifier = inference_network(config, data.image, data.classes)

    def observed(self, x: Tensor) -> Tensor:
        """The images themselves."""
        return x

    def posterior(self, v: Tensor, y: Tensor) -> Normal:
        """As there."""
        q = self.given_class.encode(v, y)
        assert isinstance(q, Normal), "it was asked for"
        return q

    def log_likelihood(self, v: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """As there."""
        return self.given_class.decode(z, y).log_prob(v)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z, y)."""
        return self.given_class.decode(z, y)


class M1M2(SemiSupervised):
    """A VAE on the images, M1, and M2 on its codes: z₁ of M1 is what M2 observes, z of M2 is what the plane shows."""

    def __init__(self, config: SemiSupervisedConfig, data: DataSpec) -> None:
        super().__init__(config, data)
        features, hidden = config.features, config.feature_hidden
        likelihood = build_likelihood(config)
        first = config.model_copy(update={"latent_dim": features})
        self.first = Autoencoder(first, data.image, likelihood, gaussian=True)
        outputs = 2 * config.latent_dim
        self.classifier = MLP((features, hidden, data.classes), config.activation, exact=1)
        self.inner_encoder = MLP((features + data.classes, hidden, outputs), config.activation, exact=1)
        self.inner_decoder = MLP(
            (config.latent_dim + data.classes, hidden, 2 * features), config.activation, exact=0
        )

    def second(self) -> list[nn.Parameter]:
        """The parameters of M2."""
        parts = (self.classifier, self.inner_encoder, self.inner_decoder)
        return [parameter for part in parts for parameter in part.parameters()]

    def first_posterior(self, x: Tensor) -> Normal:
        """q(z₁|x) of M1: equation 3."""
        q = self.first.encode(x)
        assert isinstance(q, Normal), "it was asked for"
        return q

    def observed(self, x: Tensor) -> Tensor:
        """The mean of q(z₁|x)."""
        return self.first_posterior(x).loc

    def posterior(self, v: Tensor, y: Tensor) -> Normal:
        """As there."""
        return _gaussian(self.inner_encoder(torch.cat([v, self._one_hot(y)], 1)))

    def log_likelihood(self, v: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """As there, of features: log p(z₁|z, y)."""
        return self._features(z, y).log_prob(v)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z₁) at the mean z₁ of p(z₁|z, y)."""
        if y is None:
            raise ValueError("these networks need the class y")
        return self.first.decode(self._features(z, y).mean)

    def _features(self, z: Tensor, y: Tensor) -> Distribution:
        """p(z₁|z, y), a Gaussian with diagonal covariance."""
        outputs = self.inner_decoder(torch.cat([z, self._one_hot(y)], -1))
        return Independent(_gaussian(outputs), 1, validate_args=False)

    def _one_hot(self, y: Tensor) -> Tensor:
        return functional.one_hot(y, self._classes).float()


def balanced_rows(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Rows of so many images, int64 ``(count,)``, as many of each class as can be, drawn on the CPU.

    Args:
        labels: Classes, ``(n,)``.
        count: At most n.
        generator: Draws them.
    """
    order = torch.randperm(len(labels), generator=generator)
    classes = labels.cpu()[order]
    by_class = torch.argsort(classes, stable=True)
    firsts = torch.bincount(classes).cumsum(0) - torch.bincount(classes)
    place = torch.empty_like(order)  # of an image among those of its class
    place[by_class] = torch.arange(len(order)) - firsts[classes[by_class]]
    return order[torch.argsort(place, stable=True)[:count]]


def entropy(q: Normal) -> Tensor:
    """Of Gaussians with diagonal covariance, ``(n,)``, nats."""
    found: Tensor = q.entropy().sum(-1)  # type: ignore[no-untyped-call]  # torch leaves it so
    return found


def _gaussian(outputs: Tensor) -> Normal:
    if outputs.dtype == torch.bfloat16:  # of autocast
        outputs = outputs.float()
    loc, log_variance = outputs.chunk(2, -1)
    scale = torch.exp(0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))
    return Normal(loc, scale, validate_args=False)
