"""Families that a test registers, as somebody who adds a model would write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Laplace, kl_divergence

from vaeviewer.backend.models.fields import LIVE, FamilyConfig
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    ImageSpec,
    Metric,
    Metrics,
    Objective,
    Player,
    TrainingImages,
)
from vaeviewer.backend.models.latent_model import LatentModel, Point

ERROR = Metric("error", "Error", "per image", better="lower", help="Squared error.", plot="errors")
SIZE = Metric("size", "Code size", "squared", help="How far codes lie from the origin.", plot="codes")
BALANCE = Metric("balance", "Balance", "per image", plot="errors", of=lambda t: t["error"] + t["size"])


class TwoConfig(FamilyConfig):
    family: Literal["two-players"] = "two-players"
    pull: float = Field(
        0.1, ge=0, le=9, title="Pull", description="How strongly codes are pulled.", json_schema_extra=LIVE
    )


class Layers(LatentModel):
    """One layer each way, and batch normalisation where it is asked for."""

    def __init__(self, image: ImageSpec, latent_dim: int, *, normed: bool = False) -> None:
        super().__init__(latent_dim)
        self.shape = (image.channels, image.height, image.width)
        self.inference = nn.Linear(image.values, latent_dim)
        hidden = [nn.Linear(latent_dim, 16), *([nn.BatchNorm1d(16)] if normed else []), nn.ReLU()]
        self.generation = nn.Sequential(*hidden, nn.Linear(16, image.values))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Point:
        return Point(self.inference(x.flatten(1)))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Independent:
        logits = self.generation(z).float().unflatten(-1, self.shape)
        return Independent(Bernoulli(logits=logits, validate_args=False), 3, validate_args=False)

    def initialize(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.3, 0.3, generator=generator)


class TwoPlayers(Family[TwoConfig]):
    """The decoder lowers the error; the encoder does, too, and is pulled to the origin. Each has its optimizer."""

    key, title, source = "two-players", "Two players", "a test"
    sentence = "An autoencoder of which each half has an optimizer of its own."
    Config = TwoConfig
    metrics = Metrics((ERROR, SIZE, BALANCE))
    capabilities = Capabilities(has_density=False, generates=False)

    def build(self, config: TwoConfig, data: DataSpec) -> LatentModel:
        return Layers(data.image, config.latent_dim)

    def players(self, model: LatentModel, config: TwoConfig) -> Sequence[Player[TwoConfig]]:
        assert isinstance(model, Layers)

        def loss(batch: Batch, config: TwoConfig) -> Objective:
            terms = {key: values.mean() for key, values in terms_of(model, batch.x).items()}
            return Objective(terms["error"] + config.pull * terms["size"], terms, model.encode(batch.x))

        return [
            Player("encoder", list(model.inference.parameters()), loss),
            Player("decoder", list(model.generation.parameters()), loss, steps=2),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: TwoConfig
    ) -> Mapping[str, Tensor]:
        assert isinstance(model, Layers)
        return terms_of(model, batch.x)


def terms_of(model: Layers, x: Tensor) -> dict[str, Tensor]:
    z = model.encode(x).mean
    error = (model.decode(z).mean - x).square().flatten(1).sum(1)
    return {"error": error, "size": z.square().sum(1)}


class NormedConfig(TwoConfig):
    family: Literal["normed"] = "normed"  # type: ignore[assignment]


class Normed(TwoPlayers):
    """The same with batch normalisation, so that the model has buffers and differs between train() and eval()."""

    key, title = "normed", "Batch normalised"
    Config = NormedConfig

    def build(self, config: TwoConfig, data: DataSpec) -> LatentModel:
        return Layers(data.image, config.latent_dim, normed=True)


class LaplaceConfig(FamilyConfig):
    family: Literal["laplace"] = "laplace"


class LaplaceNetworks(LatentModel):
    """Layers as torch draws them, of which one draws as it is trained."""

    def __init__(self, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(image.values, 32),
            nn.Dropout(0.2),
            nn.ReLU(),
            nn.Linear(32, 2 * latent_dim),
        )
        shape = (image.channels, image.height, image.width)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 32), nn.ReLU(), nn.Linear(32, image.values), nn.Unflatten(1, shape)
        )

    def prior(self) -> Independent:
        zeros = torch.zeros(self.latent_dim, device=self._here.device)
        return Independent(Laplace(zeros, zeros + 1.0), 1)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Independent:
        loc, log_scale = self.encoder(x).float().chunk(2, 1)
        return Independent(Laplace(loc, log_scale.exp(), validate_args=False), 1)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Independent:
        return Independent(Bernoulli(logits=self.decoder(z).float(), validate_args=False), 3)


class LaplaceVAE(Family[LaplaceConfig]):
    """A VAE under a prior that is no Gaussian, which draws by ``rsample``."""

    key, title, source = "laplace", "Laplace VAE", "a test"
    sentence = "Its prior has corners."
    Config = LaplaceConfig
    metrics = Metrics((Metric("bound", "Bound", "nats", better="lower"),))
    capabilities = Capabilities(normal_prior=False)

    def build(self, config: LaplaceConfig, data: DataSpec) -> LatentModel:
        return LaplaceNetworks(data.image, config.latent_dim)

    def players(self, model: LatentModel, config: LaplaceConfig) -> Sequence[Player[LaplaceConfig]]:
        def loss(batch: Batch, config: LaplaceConfig) -> Objective:
            bound = bound_of(model, batch.x).mean()
            return Objective(bound, {"bound": bound}, model.encode(batch.x))

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: LaplaceConfig
    ) -> Mapping[str, Tensor]:
        return {"bound": bound_of(model, batch.x)}


class MeanConfig(FamilyConfig):
    family: Literal["mean-image"] = "mean-image"


class MeanImage(LatentModel):
    """The mean of the training images of the first class, darker or brighter."""

    def __init__(self, data: DataSpec, latent_dim: int) -> None:
        super().__init__(latent_dim)
        image = data.image
        self.register_buffer("picture", torch.zeros(image.channels, image.height, image.width))
        self.register_buffer("levels", torch.zeros(data.images))
        self.register_buffer("draw", torch.zeros(()))
        self.picture: Tensor
        self.levels: Tensor
        self.draw: Tensor

    def encode(self, x: Tensor, y: Tensor | None = None) -> Point:
        return Point(x.flatten(1).mean(1, keepdim=True).expand(-1, self.latent_dim))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Independent:
        mean = (self.picture * (1 + z[..., :1, None, None])).clamp(0, 1)
        return Independent(Bernoulli(mean, validate_args=False), 3, validate_args=False)


class Mean(Family[MeanConfig]):
    """It is solved at once, and has a number for each training image."""

    key, title, source = "mean-image", "Mean image", "a test"
    sentence = "Every image is the mean."
    Config = MeanConfig
    metrics = Metrics((ERROR,))
    capabilities = Capabilities(has_density=False, uses_labels=True, generates=False, trains=False)

    def build(self, config: MeanConfig, data: DataSpec) -> LatentModel:
        return MeanImage(data, config.latent_dim)

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: MeanConfig,
        generator: torch.Generator,
    ) -> None:
        assert isinstance(model, MeanImage)
        assert labels is not None
        model.picture.copy_(images[torch.nonzero(labels == 0).squeeze(1)].mean(0))
        for start in range(0, len(images), 1000):
            model.levels[start : start + 1000] = images[start : start + 1000].flatten(1).mean(1)
        model.draw.copy_(torch.rand((), generator=generator))

    def players(self, model: LatentModel, config: MeanConfig) -> Sequence[Player[MeanConfig]]:
        return []

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: MeanConfig
    ) -> Mapping[str, Tensor]:
        assert isinstance(model, MeanImage)
        return {"error": (batch.x - model.picture).square().flatten(1).sum(1)}


def bound_of(model: LatentModel, x: Tensor) -> Tensor:
    q = model.encode(x)
    assert q is not None
    return kl_divergence(q, model.prior()) - model.decode(q.rsample()).log_prob(x)
