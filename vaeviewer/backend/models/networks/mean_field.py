"""A generative network with a posterior of its own for each training image, and a search for that of any other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import DataSpec
from vaeviewer.backend.models.latent_model import MAX_LOG_VARIANCE, Autoencoder
from vaeviewer.backend.models.likelihoods import Likelihood

STARTS = 256
"""A search begins at the posterior of one of so many training images, or where the network says."""

JUDGES = 32
"""Places of z, spread evenly over q(z|x), that decide whether a search came out better than the network."""

MOST_FOLD = 1.0
"""Most that log σ² changes in a step; a mean moves by σ at most."""

SEED = 1312_0114
"""Of the draws of a search: the same for every image, so that an image's place is a function of the image alone."""


class MeanField(Autoencoder):
    """q(z|x) = N(loc, scale²) with a free loc and scale for each training image, for all others by :meth:`search`.

    The inference network stands beside, for comparison: :meth:`by_network`.

    Args:
        config: Which networks, and the latent dimension.
        data: How large the images are, and how many are trained on.
        likelihood: What the generative network's outputs mean.
        steps: Of a search.
    """

    loc: Tensor
    log_variance: Tensor

    def __init__(self, config: ImageNetworks, data: DataSpec, likelihood: Likelihood, steps: int) -> None:
        super().__init__(config, data.image, likelihood, gaussian=True)
        self._steps = steps
        self.register_buffer("loc", torch.zeros(data.images, config.latent_dim))
        self.register_buffer("log_variance", torch.zeros(data.images, config.latent_dim))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Normal:
        """q(z|x) by search, whether the image is one of those trained on or not."""
        return self.search(x)

    def remembered(self, rows: Tensor | slice) -> Normal:
        """q(z|x) of training images, as it is."""
        return _normal(self.loc[rows], self.log_variance[rows])

    def by_network(self, x: Tensor) -> Normal:
        """q(z|x) as the inference network has it: amortized."""
        found = super().encode(x)
        assert isinstance(found, Normal), "built to give one"
        return found

    def elbo_terms(self, x: Tensor, q: Normal, noise: Tensor) -> dict[str, Tensor]:
        """The ELBO's terms of images under a posterior; Kingma & Welling 2013, equation 10 and appendix B.

        Args:
            x: ``(n, C, H, W)``.
            q: Over ``(n, latent_dim)``.
            noise: ε ~ N(0, I), ``(samples, n, latent_dim)`` or ``(samples, 1, latent_dim)``.

        Returns:
            ``reconstruction`` and ``kl``, each ``(n,)``, nats.
        """
        reconstruction = self.decode(q.loc + q.scale * noise).log_prob(x).mean(0)
        kl = 0.5 * (q.loc.square() + q.scale.square() - 2.0 * q.scale.log() - 1.0).sum(-1)
        return {"reconstruction": reconstruction, "kl": kl}

    def improve(self, rows: Tensor, x: Tensor, noise: Tensor, rate: float) -> Normal:
        """Take a step with the posterior of some training images, in place, and return it."""
        better = self.step(x, self.remembered(rows), noise, rate)
        self.loc[rows] = better.loc
        self.log_variance[rows] = 2.0 * better.scale.log()
        return better

    def step(self, x: Tensor, q: Normal, noise: Tensor, rate: float) -> Normal:
        """One step of natural-gradient ascent on each image's ELBO, which no network takes part in.

        The Fisher information of N(loc, σ²) is 1/σ² about loc and 1/2 about log σ², so that the natural gradients
        are σ² and 2 times the gradients (Hoffman et al., "Stochastic Variational Inference", 2013, section 2.3).
        Where log p(x, z) is quadratic and σ fits it, a rate of 1 leads to its top at once.

        Args:
            x: ``(n, C, H, W)``.
            q: Where they are.
            noise: As for :meth:`elbo_terms`; −ε counts, too, which takes most of the chance out of the gradient.
            rate: Length of the step.
        """
        with torch.enable_grad():
            loc = q.loc.detach().requires_grad_()
            log_variance = (2.0 * q.scale.detach().log()).requires_grad_()
            terms = self.elbo_terms(x, _normal(loc, log_variance), torch.cat([noise, -noise]))
            elbo = (terms["reconstruction"] - terms["kl"]).sum()
            along, wider = torch.autograd.grad(elbo, (loc, log_variance))
        with torch.no_grad():
            scale = (0.5 * log_variance).exp()
            moved = loc + torch.clamp(rate * scale.square() * along, -scale, scale)
            return _normal(moved, log_variance + (rate * 2.0 * wider).clamp(-MOST_FOLD, MOST_FOLD))

    @torch.no_grad()
    def search(self, x: Tensor) -> Normal:
        """q(z|x) of any images by ascent from the best start; never worse than the network's, as far as draws tell."""
        generator = torch.Generator().manual_seed(SEED)
        noise = torch.randn(self._steps, 1, 1, self.latent_dim, generator=generator).to(x.device)
        network = self.by_network(x)
        q = self._start(x, network)
        for number, draw in enumerate(noise):
            q = self.step(x, q, draw, 2.0 / (number + 3.0))  # shorter and shorter, so that it settles
        judge = spread(JUDGES, self.latent_dim).to(x.device)
        better = self._elbo(x, q, judge) >= self._elbo(x, network, judge)
        return _choose(better, q, network)

    def _start(self, x: Tensor, network: Normal) -> Normal:
        """Of each image, the posterior whose mean decodes to what is nearest to it in pixels."""
        if not len(self.loc):
            return network
        few = slice(None, None, max(1, len(self.loc) // STARTS))
        starts = self.remembered(few)
        drawn = self.decode(starts.loc).mean.flatten(1)
        distance, nearest = torch.cdist(x.flatten(1), drawn).min(1)
        by_network = (x - self.decode(network.loc).mean).flatten(1).norm(dim=1)
        start = _normal(starts.loc[nearest], self.log_variance[few][nearest])
        return _choose(distance <= by_network, start, network)

    def _elbo(self, x: Tensor, q: Normal, noise: Tensor) -> Tensor:
        terms = self.elbo_terms(x, q, noise)
        return terms["reconstruction"] - terms["kl"]


def spread(count: int, latent_dim: int, seed: int = SEED) -> Tensor:
    """Standard normal draws ``(count, 1, latent_dim)`` that fill space more evenly than chance: a Sobol sequence."""
    sequence = torch.quasirandom.SobolEngine(latent_dim, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    even: Tensor = sequence.draw(count).double().clamp(1e-6, 1.0 - 1e-6)
    normal: Tensor = torch.special.ndtri(even)
    return normal.float().unsqueeze(1)


def _normal(loc: Tensor, log_variance: Tensor) -> Normal:
    bounded = log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
    return Normal(loc, torch.exp(0.5 * bounded), validate_args=False)


def _choose(first: Tensor, one: Normal, other: Normal) -> Normal:
    which = first[:, None]
    loc, scale = torch.where(which, one.loc, other.loc), torch.where(which, one.scale, other.scale)
    return Normal(loc, scale, validate_args=False)
