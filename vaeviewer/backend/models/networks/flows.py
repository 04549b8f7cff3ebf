"""Normalizing flows: chains of invertible maps that bend a Gaussian posterior, with their log-determinants.

A flow acts on z of ``(..., latent_dim)`` with a context of ``(n, context)`` from the inference network, whose rows
belong to the last axis of z but one. All is float32 even under autocast, as it touches z.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.nn import functional

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import Autoencoder, diagonal_gaussian
from vaeviewer.backend.models.likelihoods import Likelihood

OPEN_GATE = 2.0
"""Where the bias of an autoregressive step's gate starts, so that it starts near the identity (Kingma et al. 2016)."""

HALVINGS = 40
"""Of the interval in which a planar step's inverse is sought: to float32's precision."""

CPU = torch.device("cpu")

HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)

MOMENT_DRAWS = 32
"""Draws that tell a warped posterior's mean and standard deviations: the same for every image and step."""


class Flow(nn.Module):
    """An invertible map of z, given a context.

    Attributes:
        context: How many numbers of context it takes for each image.
    """

    context: int

    @abstractmethod
    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f(z), shaped as z, and log |det ∂f/∂z|, ``(...)``."""

    @abstractmethod
    def inverse(self, z: Tensor, context: Tensor) -> Tensor:
        """The z₀ with f(z₀) = z."""


class AutoregressiveFlow(Flow):
    """Inverse autoregressive flow in its numerically stable form, with a gate.

    Source: Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow" (2016), algorithm 1.

    Args:
        latent_dim: Numbers in z.
        steps: Maps in the chain; the order of the numbers is reversed after each.
        hidden: Units of each step's network, and numbers of context.
    """

    def __init__(self, latent_dim: int, steps: int, hidden: int) -> None:
        super().__init__()
        self.context = hidden
        self.steps = nn.ModuleList(_AutoregressiveStep(latent_dim, hidden) for _ in range(steps))

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`Flow.forward`: z ← σ ⊙ z + (1 − σ) ⊙ m, of which log |det| is Σ log σ."""
        log_det = torch.zeros_like(z[..., 0])
        for step in self.steps:
            m, s = step(z, context)
            gate = torch.sigmoid(s)
            z = (gate * z + (1.0 - gate) * m).flip(-1)
            log_det = log_det + functional.logsigmoid(s).sum(-1)
        return z, log_det

    def inverse(self, z: Tensor, context: Tensor) -> Tensor:
        """As :meth:`Flow.inverse`: number by number, as each step's m and σ depend on the numbers before alone."""
        for step in reversed(self.steps):
            z = z.flip(-1)
            before = torch.zeros_like(z)
            for i in range(z.shape[-1]):
                m, s = step(before, context)
                gate = torch.sigmoid(s[..., i])
                before[..., i] = (z[..., i] - (1.0 - gate) * m[..., i]) / gate
            z = before
        return z

    def initialize(self, generator: torch.Generator) -> None:
        """Draw new weights."""
        for step in self.steps:
            assert isinstance(step, _AutoregressiveStep)
            step.initialize(generator)


class _AutoregressiveStep(nn.Module):
    """m and s of each number of z, from the numbers before it and the context, through one hidden layer.

    The masks are those of Germain et al., "MADE: Masked Autoencoder for Distribution Estimation" (2015): hidden unit k
    sees the first k mod latent_dim numbers, and the i-th number's outputs see units that see fewer than i.
    """

    def __init__(self, latent_dim: int, hidden: int) -> None:
        super().__init__()
        self.from_context = nn.Linear(hidden, hidden)
        self.from_z = nn.Linear(latent_dim, hidden, bias=False)
        self.out = nn.Linear(hidden, 2 * latent_dim)
        number, seen = torch.arange(latent_dim), torch.arange(hidden) % latent_dim
        self._in_mask: Tensor
        self._out_mask: Tensor
        self.register_buffer("_in_mask", (number < seen[:, None]).float(), persistent=False)
        out_mask = (seen <= number[:, None]).float().repeat(2, 1)
        self.register_buffer("_out_mask", out_mask, persistent=False)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        inner = functional.linear(z, self.from_z.weight * self._in_mask) + self.from_context(context)
        outputs = functional.linear(torch.tanh(inner), self.out.weight * self._out_mask, self.out.bias)
        m, s = outputs.chunk(2, dim=-1)
        return m, s

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Uniform weights that keep deviations about constant, and a gate that is nearly open."""
        for layer, gain in ((self.from_context, 1.0), (self.from_z, 1.0), (self.out, 0.1)):
            bound = gain * math.sqrt(3.0 / layer.in_features)
            layer.weight.uniform_(-bound, bound, generator=generator)
        self.from_context.bias.uniform_(-1.0, 1.0, generator=generator)
        self.out.bias.zero_()
        self.out.bias[len(self.out.bias) // 2 :] = OPEN_GATE


class PlanarFlow(Flow):
    """Planar flow, f(z) = z + û tanh(wᵀz + b), of which the inference network gives all u, w and b.

    Source: Rezende & Mohamed, "Variational Inference with Normalizing Flows" (2015), section 4.

    Args:
        latent_dim: Numbers in z.
        steps: Maps in the chain.
    """

    def __init__(self, latent_dim: int, steps: int) -> None:
        super().__init__()
        self._sizes = [latent_dim, latent_dim, 1] * steps
        self.context = sum(self._sizes)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`Flow.forward`; equations 10 to 13."""
        log_det = torch.zeros_like(z[..., 0])
        for u, w, b in self._maps(context):
            bent = torch.tanh((w * z).sum(-1) + b)
            z = z + u * bent[..., None]
            log_det = log_det + torch.log1p((w * u).sum(-1) * (1.0 - bent.square()))
        return z, log_det

    def inverse(self, z: Tensor, context: Tensor) -> Tensor:
        """As :meth:`Flow.inverse`: α = wᵀz₀ solves the monotone α + wᵀû tanh(α + b) = wᵀz, by bisection."""
        for u, w, b in reversed(self._maps(context)):
            along, inner = (w * z).sum(-1), (w * u).sum(-1)
            low, high = along - inner.abs(), along + inner.abs()
            for _ in range(HALVINGS):
                middle = 0.5 * (low + high)
                above = middle + inner * torch.tanh(middle + b) > along
                low, high = torch.where(above, low, middle), torch.where(above, middle, high)
            z = z - u * torch.tanh(0.5 * (low + high) + b)[..., None]
        return z

    def _maps(self, context: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """û, w and b of each map, from the first on, with wᵀû > −1, so that it can be inverted (appendix A.1).

        Their m(x) = −1 + log(1 + eˣ) is shifted so that m(0) = 0: where u is zero so is û, however small w is.
        """
        parts, maps = torch.split(context, self._sizes, -1), []
        for u, w, b in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
            inner = (w * u).sum(-1, keepdim=True)
            kept = functional.softplus(inner + math.log(math.e - 1.0)) - 1.0
            along = w / w.square().sum(-1, keepdim=True).clamp(min=1e-12)
            maps.append((u + (kept - inner) * along, w, b.squeeze(-1)))
        return maps


class FlowPosterior(Distribution):
    """q(z|x): a diagonal Gaussian q(z₀|x), carried through a flow: z = f(z₀).

    Args:
        base: q(z₀|x), ``(n, latent_dim)``.
        flow: f.
        context: What it is told of each image, ``(n, context)``.
    """

    arg_constraints = {}  # noqa: RUF012  # torch's own convention
    has_rsample = True

    def __init__(self, base: Normal, flow: Flow, context: Tensor) -> None:
        self.base, self._flow, self._context = base, flow, context
        self._moments: tuple[Tensor, Tensor] | None = None
        super().__init__(base.loc.shape[:-1], base.loc.shape[-1:], validate_args=False)

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The codes that standard normal noise ``(..., n, latent_dim)`` becomes, and log q(z|x) there, ``(..., n)``."""
        start = self.base.loc + self.base.scale * noise
        with torch.autocast(noise.device.type, enabled=False):
            z, log_det = self._flow(start, self._context)
        return z, self._log_density(noise, log_det)

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Codes, ``(*sample_shape, n, latent_dim)``, through which gradients pass."""
        return self.at(torch.randn(*sample_shape, *self.base.loc.shape, device=self.base.loc.device))[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log q(z|x) at any z of ``(..., n or 1, latent_dim)``, by inverting the flow; ``(..., n)``."""
        value = value + torch.zeros_like(self.base.loc)  # broadcast
        with torch.autocast(value.device.type, enabled=False):
            start = self._flow.inverse(value, self._context)
            _, log_det = self._flow(start, self._context)
        return self._log_density((start - self.base.loc) / self.base.scale, log_det)

    def _log_density(self, noise: Tensor, log_det: Tensor) -> Tensor:
        """Log q(z|x) = log q(z₀|x) − log |det ∂f/∂z₀|, where z₀ = μ + σ·noise."""
        log_base = -0.5 * noise.square() - self.base.scale.log() - HALF_LOG_2_PI
        return log_base.sum(-1) - log_det

    @property
    def mean(self) -> Tensor:
        """About the mean, ``(n, latent_dim)``: of a few draws that are the same for every image."""
        return self._first_moments()[0]

    @property
    def variance(self) -> Tensor:
        """About the variances, likewise."""
        return self._first_moments()[1]

    @torch.no_grad()
    def _first_moments(self) -> tuple[Tensor, Tensor]:
        if self._moments is None:
            loc = self.base.loc
            noise = moment_noise(loc.shape[-1], loc.device).to(loc)
            z, _ = self.at(noise[:, None].expand(-1, len(loc), -1))
            self._moments = z.mean(0), z.var(0, correction=0)
        return self._moments


@lru_cache(8)
def moment_noise(latent_dim: int, device: torch.device = CPU) -> Tensor:
    """``MOMENT_DRAWS`` draws with mean 0 and variance 1 in each number, ``(draws, latent_dim)``, always the same.

    Kept where they are used: to bring them to a GPU waits for it, at which no step can be captured.
    """
    half = torch.randn(
        MOMENT_DRAWS // 2,
        latent_dim,
        generator=torch.Generator().manual_seed(1606_04934),
        dtype=torch.float64,
    )
    draws = torch.cat((half, -half))
    return (draws / draws.square().mean(0).sqrt()).float().to(device)


class FlowAutoencoder(Autoencoder):
    """The networks of a VAE, and a flow that bends q(z|x).

    Args:
        config: Which networks, and the latent dimension.
        image: Size of the images.
        likelihood: What the generative network's outputs mean.
        flow: What bends.
    """

    def __init__(self, config: ImageNetworks, image: ImageSpec, likelihood: Likelihood, flow: Flow) -> None:
        super().__init__(config, image, likelihood, gaussian=True, more=flow.context)
        self.flow = flow

    def encode(self, x: Tensor, y: Tensor | None = None) -> FlowPosterior:
        """q(z|x), of which the inference network gives the Gaussian and the flow's context."""
        outputs, context = self.encoder(x).split((2 * self.latent_dim, self.flow.context), -1)
        return FlowPosterior(diagonal_gaussian(outputs), self.flow, context)
