"""Families that lack what most have: an encoder, a density, a prior N(0, I). What becomes of panels there is tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, MixtureSameFamily, Normal
from torch.nn.functional import softplus

from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    Metric,
    Metrics,
    Objective,
    Player,
)
from vaeviewer.backend.models.latent_model import LatentModel, Point


class GameConfig(FamilyConfig):
    family: Literal["game"] = "game"


class Game(LatentModel):
    """A generator and a discriminator of a layer or two."""

    def __init__(self, data: DataSpec, latent_dim: int) -> None:
        super().__init__(latent_dim)
        shape = data.image.channels, data.image.height, data.image.width
        values = data.image.values
        self.generator = nn.Sequential(
            nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, values), nn.Unflatten(-1, shape)
        )
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(values, 64), nn.ReLU(), nn.Linear(64, 1))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        return Independent(Bernoulli(logits=self.generator(z).float(), validate_args=False), 3)


class GameFamily(Family[GameConfig]):
    """A GAN: no encoder, no density; Goodfellow et al. 2014, with the non-saturating loss."""

    key, title, source, kin = "game", "Game", "Goodfellow et al. 2014", "adversarial"
    sentence = "A generator and a discriminator play against each other."
    Config = GameConfig
    metrics = Metrics(
        (
            Metric("discriminator", "Discriminator", "nats", better="lower", plot="loss"),
            Metric("generator", "Generator", "nats", better="lower", plot="loss"),
        )
    )
    capabilities = Capabilities(encodes=False, has_density=False)

    def build(self, config: GameConfig, data: DataSpec) -> LatentModel:
        return Game(data, config.latent_dim)

    def players(self, model: LatentModel, config: GameConfig) -> Sequence[Player[GameConfig]]:
        assert isinstance(model, Game)

        def judged(batch: Batch) -> dict[str, Tensor]:
            fake = model.decode(batch.noise(len(batch.x), config.latent_dim)).mean
            return losses(model, batch.x, fake)

        def discriminate(batch: Batch, config: GameConfig) -> Objective:
            terms = {key: values.mean() for key, values in judged(batch).items()}
            return Objective(terms["discriminator"], {"discriminator": terms["discriminator"]})

        def generate(batch: Batch, config: GameConfig) -> Objective:
            terms = {key: values.mean() for key, values in judged(batch).items()}
            return Objective(terms["generator"], {"generator": terms["generator"]})

        return [
            Player("discriminator", list(model.discriminator.parameters()), discriminate),
            Player("generator", list(model.generator.parameters()), generate),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: GameConfig
    ) -> Mapping[str, Tensor]:
        assert isinstance(model, Game)
        return losses(model, batch.x, model.decode(noise[0]).mean)


def losses(model: Game, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    on_real, on_fake = model.discriminator(real)[:, 0], model.discriminator(fake)[:, 0]
    return {"discriminator": softplus(-on_real) + softplus(on_fake), "generator": softplus(-on_fake)}


class MixtureConfig(FamilyConfig):
    family: Literal["mixture"] = "mixture"


class Mixture(LatentModel):
    """Codes are points; p(z) is a learned mixture of narrow Gaussians, at first around a ring."""

    def __init__(self, data: DataSpec, latent_dim: int) -> None:
        super().__init__(latent_dim)
        shape = data.image.channels, data.image.height, data.image.width
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(data.image.values, latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, data.image.values), nn.Unflatten(-1, shape))
        self.centres = nn.Parameter(torch.zeros(8, latent_dim))

    def initialize(self, generator: torch.Generator) -> None:
        angle = torch.arange(8) * (torch.pi / 4)
        ring = torch.stack([angle.cos(), angle.sin()], 1)
        with torch.no_grad():
            self.centres[:, :2] = 4.0 * ring[:, : self.latent_dim]

    def prior(self) -> Distribution:
        weights = Categorical(logits=torch.zeros(len(self.centres), device=self._here.device))
        parts = Independent(Normal(self.centres, 0.2, validate_args=False), 1)
        return MixtureSameFamily(weights, parts, validate_args=False)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Point:
        return Point(self.encoder(x))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        return Independent(Bernoulli(logits=self.decoder(z).float(), validate_args=False), 3)


class MixtureFamily(Family[MixtureConfig]):
    """An autoencoder whose prior is fitted to its codes."""

    key, title, source, kin = "mixture", "Mixture", "a test of 2018", "variational"
    sentence = "Its prior is learned."
    Config = MixtureConfig
    metrics = Metrics((Metric("error", "Squared error", "per image", better="lower"),))
    capabilities = Capabilities(has_density=False, normal_prior=False)

    def build(self, config: MixtureConfig, data: DataSpec) -> LatentModel:
        return Mixture(data, config.latent_dim)

    def players(self, model: LatentModel, config: MixtureConfig) -> Sequence[Player[MixtureConfig]]:
        def loss(batch: Batch, config: MixtureConfig) -> Objective:
            code = model.encode(batch.x)
            assert code is not None
            error = (model.decode(code.mean).mean - batch.x).square().flatten(1).sum(1).mean()
            return Objective(error - model.prior().log_prob(code.mean).mean(), {"error": error}, code)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: MixtureConfig
    ) -> Mapping[str, Tensor]:
        code = model.encode(batch.x)
        assert code is not None
        return {"error": (model.decode(code.mean).mean - batch.x).square().flatten(1).sum(1)}


class RingConfig(MixtureConfig):
    family: Literal["ring"] = "ring"  # type: ignore[assignment]


class Circle(Distribution):
    """A ring of radius 3, of which codes can be drawn and that is all."""

    arg_constraints = {}  # noqa: RUF012  # torch's own convention

    def __init__(self, latent_dim: int) -> None:
        super().__init__(torch.Size(), torch.Size([latent_dim]), validate_args=False)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        angle = 2 * torch.pi * torch.rand(*sample_shape)
        rest = torch.randn(*sample_shape, self.event_shape[0] - 2)
        return torch.cat([3.0 * torch.stack([angle.cos(), angle.sin()], -1), rest], -1)


class Ring(Mixture):
    """The same under a prior that has no density."""

    def prior(self) -> Distribution:
        return Circle(self.latent_dim)


class RingFamily(MixtureFamily):
    """The same under a prior that has no density, which an adversary would enforce."""

    key, title, kin = "ring", "Ring", "adversarial"  # type: ignore[assignment]
    sentence = "Its prior is a ring."
    Config = RingConfig

    def build(self, config: MixtureConfig, data: DataSpec) -> LatentModel:
        return Ring(data, config.latent_dim)

    def players(self, model: LatentModel, config: MixtureConfig) -> Sequence[Player[MixtureConfig]]:
        def loss(batch: Batch, config: MixtureConfig) -> Objective:
            code = model.encode(batch.x)
            assert code is not None
            error = (model.decode(code.mean).mean - batch.x).square().flatten(1).sum(1).mean()
            return Objective(error, {"error": error}, code)

        return [Player("model", list(model.encoder.parameters()), loss)]  # type: ignore[union-attr]


ALL = (GameFamily(), MixtureFamily(), RingFamily())
