"""Models as torch sees them: p(z), q(z|x) and p(x|z) as distributions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from vaeviewer.backend.models import registry
from vaeviewer.backend.models.fields import FamilyConfig, ImageNetworks
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.likelihoods import Likelihood
from vaeviewer.backend.models.networks.choice import generative_network, inference_network

Answer = TypeVar("Answer")

MAX_LOG_VARIANCE = 12.0
"""Bound on |log σ²| of q(z|x): exp(12) is far beyond use and far from overflow."""


@runtime_checkable
class Network(Protocol):
    """A part of a model that draws its own weights."""

    def initialize(self, generator: torch.Generator) -> None:
        """Draw new ones, in place, on the CPU."""


@runtime_checkable
class Bent(Protocol):
    """A posterior of which mean and variance do not say all, as it is what a map makes of noise."""

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The codes ``(..., n, latent_dim)`` that such standard normal noise becomes, and log q(z|x) there."""


class LatentModel(nn.Module):
    """A decoder p(x|z) under a prior p(z), perhaps with an encoder q(z|x).

    All state lives in parameters and buffers, so that ``state_dict`` is the whole model.

    Args:
        latent_dim: Numbers in z.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        # Where the model lives, for distributions that have no tensor of their own.
        self._here: Tensor
        self.register_buffer("_here", torch.zeros(()), persistent=False)

    def prior(self) -> Distribution:
        """p(z), over ``(latent_dim,)``; a standard normal unless a family says otherwise."""
        zeros = torch.zeros(self.latent_dim, device=self._here.device)
        return Independent(Normal(zeros, zeros + 1.0, validate_args=False), 1, validate_args=False)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Distribution | None:
        """q(z|x) of images ``(n, C, H, W)``, over ``(n, latent_dim)``, or ``None`` where there is no encoder."""
        return None

    def remembered(self, rows: Tensor | slice) -> Distribution | None:
        """q(z|x) of some training images where the model keeps it by row; ``None``: :meth:`encode` gives it."""
        return None

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z) for z of ``(..., latent_dim)``, over ``(..., C, H, W)``; its mean is the picture."""
        raise NotImplementedError

    def initialize(self, generator: torch.Generator) -> None:
        """Draw new weights, in place, on the CPU."""
        for module in self.children():
            if isinstance(module, Network):
                module.initialize(generator)


class Point(Distribution):
    """The distribution of a plain autoencoder's code: all of it at one place.

    Args:
        loc: ``(..., latent_dim)``.
    """

    arg_constraints = {}  # noqa: RUF012  # torch's own convention
    has_rsample = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The place."""
        return self.loc

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """The place, as often as asked for."""
        return self.loc.expand(*sample_shape, *self.loc.shape)


class Autoencoder(LatentModel):
    """Networks mirrored around z: the inference and the generative network.

    Args:
        config: Which networks, and the latent dimension.
        image: Size of the images.
        likelihood: What the generative network's outputs mean.
        gaussian: Whether q(z|x) is a diagonal Gaussian, or a point.
        classes: Of how many classes both networks see which one it is, one-hot; 0: they see none.
        more: Further numbers that the inference network gives, for subclasses.
    """

    def __init__(
        self,
        config: ImageNetworks,
        image: ImageSpec,
        likelihood: Likelihood,
        *,
        gaussian: bool,
        classes: int = 0,
        more: int = 0,
    ) -> None:
        super().__init__(config.latent_dim)
        self._gaussian, self._classes = gaussian, classes
        outputs = (2 * config.latent_dim if gaussian else config.latent_dim) + more
        self.encoder = inference_network(config, image, outputs, beside=classes)
        self.decoder = generative_network(config, image, config.latent_dim + classes)
        self.likelihood = likelihood

    def encode(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """q(z|x): a diagonal Gaussian, or a point."""
        outputs = self.encoder(x, self._one_hot(y)) if self._classes else self.encoder(x)
        return diagonal_gaussian(outputs) if self._gaussian else Point(outputs)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z), pixels independent given z."""
        if self._classes:
            y_seen = self._one_hot(y).expand(*z.shape[:-1], self._classes)
            z = torch.cat([z, y_seen], -1)
        outputs = self.decoder(z)
        if outputs.dtype == torch.bfloat16:  # of autocast: densities are summed over pixels in float32
            outputs = outputs.float()
        return Independent(self.likelihood(outputs), 3, validate_args=False)

    def _one_hot(self, y: Tensor | None) -> Tensor:
        if y is None:
            raise ValueError("these networks need the class y")
        return nn.functional.one_hot(y, self._classes).float()


def diagonal_gaussian(outputs: Tensor) -> Normal:
    """N(μ, σ²) with a network's μ and log σ², ``(..., 2 * latent_dim)``; Kingma & Welling 2013, equation 9."""
    loc, log_variance = outputs.chunk(2, dim=-1)
    scale = torch.exp(0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))
    return Normal(loc, scale, validate_args=False)


def state_shapes(
    config: FamilyConfig, data: DataSpec
) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, tuple[int, ...]]]:
    """What a model's ``state_dict`` holds: dtype and shape by name; and shapes of the parameters. Takes no memory."""
    with torch.device("meta"):
        model = registry.family(config.family).build(config, data)
    state = {
        name: (str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
    }
    return state, {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


class _Asked(nn.Module):
    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, question: Callable[[LatentModel], Answer]) -> Answer:
        return question(self.model)


_asked = threading.local()


@torch.no_grad()
def ask(
    key: tuple[FamilyConfig, DataSpec],
    weights: Mapping[str, Tensor],
    question: Callable[[LatentModel], Answer],
) -> Answer:
    """Ask a model with these weights something, in ``eval()`` and without gradients.

    Each thread keeps the module it asked last, whose own weights are never looked at.

    Args:
        key: What the model is built from.
        weights: Its ``state_dict``.
        question: What to ask it. It may not keep the model, nor answer what computes with its weights later: by then
            they are others.
    """
    if getattr(_asked, "key", None) != key:
        module = registry.family(key[0].family).build(*key)
        _asked.module, _asked.key = _Asked(module.eval()), key
    named = {f"model.{name}": weight for name, weight in weights.items()}
    answer: Answer = torch.func.functional_call(_asked.module, named, (question,))
    return answer
