"""The gradient of the training objective, written by hand: the numbers of automatic differentiation, faster.

The large matrix products may run in bfloat16; weights, sums and everything that touches z stay in float32, so
posterior means are never rounded. A test holds it against autograd of the family's own objective in float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.latent_model import MAX_LOG_VARIANCE, LatentModel
from vaeviewer.backend.training.engines.fused.flat import FlatParameters
from vaeviewer.backend.training.engines.fused.layers import Layer, Network

aten = torch.ops.aten


class StepTerms(NamedTuple):
    """What a step learns besides the gradient.

    ``reconstruction`` and ``kl`` are means over the batch, 0-d, nats per image; ``loc`` and ``log_variance`` are
    ``(n, latent_dim)``.
    """

    reconstruction: Tensor
    kl: Tensor
    loc: Tensor
    log_variance: Tensor


class ElboGradient:
    """Computes ∇(β·KL − reconstruction), averaged over a batch, into ``parameters.grad``.

    Args:
        config: Shapes of the networks; pixels are Bernoulli.
        model: The model, on its device. Its parameters become views of :attr:`parameters`.
        dtype: Of the large matrix products: the parameters' own, or ``bfloat16``.

    Attributes:
        parameters: The model's parameters in one tensor, and their gradient.
        rounded: Those of the large layers in ``dtype``, at the start of ``parameters`` where they lie in its own.
        rounded_grad: Their gradient in ``dtype``.
        weights: By name what the products use: ``rounded`` for the large layers, ``parameters`` for the others.
        grads: By name where the gradient of each is written.
    """

    def __init__(self, config: VaeConfig, model: LatentModel, dtype: torch.dtype) -> None:
        last = len(config.hidden)
        names = [f"encoder.{i}" for i in range(last)] + [f"decoder.{i}" for i in range(1, last + 1)]
        # All but the two layers that touch z.
        large = [f"{name}.{kind}" for kind in ("weight", "bias") for name in names]
        self.parameters = flat = FlatParameters(model, first=large)
        self._large = flat.values.detach()[: flat.length(large)]
        self._large_grad = flat.grad[: flat.length(large)]
        self._own_dtype = dtype == flat.values.dtype
        # Cast to and from the products' precision all at once.
        self.rounded = self._large if self._own_dtype else self._large.to(dtype)
        self.rounded_grad = self._large_grad if self._own_dtype else torch.zeros_like(self.rounded)
        self.weights = weights = {**flat.views(flat.values.detach()), **flat.views(self.rounded)}
        self.grads = grads = {**flat.views(flat.grad), **flat.views(self.rounded_grad)}
        self._buffers = (torch.empty(0), torch.empty(0))
        self._encoder, self._decoder = (
            Network(
                [Layer(f"{network}.{i}", weights, grads) for i in range(last + 1)], config.activation, dtype
            )
            for network in ("encoder", "decoder")
        )

    @torch.no_grad()
    def __call__(self, x: Tensor, noise: Tensor, beta: float | Tensor) -> StepTerms:
        """Leave the gradient in ``parameters.grad`` and return the terms, which the next call may write over.

        Args:
            x: ``(n, pixels)``, values in 0 … 1.
            noise: Standard normal, ``(samples, n, latent_dim)``.
            beta: Weight of the KL term.
        """
        samples, n, dim = noise.shape
        self.round_weights()

        head = self._encoder.forward(x)
        loc, raw = head[:, :dim], head[:, dim:]
        log_variance = raw.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        scale = torch.exp(0.5 * log_variance)
        excess = scale.square().sub_(1.0)  # σ² − 1
        kl = torch.addcmul(excess, loc, loc).sub_(log_variance).sum() * (0.5 / n)

        spread = scale * noise
        z = (loc + spread).view(samples * n, dim)  # all samples of all images as rows
        outputs = self._decoder.forward(z).to(x.dtype)
        targets = x if samples == 1 else x.repeat(samples, 1)
        reconstruction, grad = _bernoulli(outputs, targets, *self._spare(outputs))

        dz = (self._decoder.backward(grad) @ self._decoder.layers[0].weight).view(samples, n, dim)
        # Through the sample z = μ + σ·ε and through the KL.
        share = beta / n
        d_loc = dz.sum(0) + share * loc
        d_log_variance = (dz.mul_(spread).sum(0) + excess.mul_(share)).mul_(0.5)
        d_raw = aten.hardtanh_backward(d_log_variance, raw, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        self._encoder.backward(torch.cat([d_loc, d_raw], dim=1))
        if not self._own_dtype:
            self._large_grad.copy_(self.rounded_grad)
        return StepTerms(reconstruction, kl, loc, log_variance)

    def round_weights(self) -> None:
        """Bring ``rounded`` up to date."""
        if not self._own_dtype:
            self.rounded.copy_(self._large)

    def _spare(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Two tensors like ``like`` to write over, the same ones at every step."""
        if self._buffers[0].shape != like.shape:
            self._buffers = (torch.empty_like(like), torch.empty_like(like))
        return self._buffers


def _bernoulli(logits: Tensor, x: Tensor, p: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
    """Mean log p(x|z), and its negative's gradient at the logits.

    ``p`` and ``spare``, of the logits' shape, are written over; the gradient is returned in ``p``. Memory that is
    used again stays in the processor's cache, which makes these passes several times faster.

    log p = x·l − softplus(l), and softplus(l) = max(l, 0) − log σ(|l|), where σ(|l|) = max(p, 1 − p) is at least
    one half: this needs no exponential beyond the one in p, and the logarithm is exact where it matters. Instead
    of the logarithm of each, as slow as all else here, that of products of up to 64, which are at least 2⁻⁶⁴ and so
    do not underflow.
    """
    rows = len(logits)
    torch.sigmoid(logits, out=p)
    torch.sub(1.0, p, out=spare)
    torch.maximum(p, spare, out=spare)
    factors = math.gcd(spare.numel(), 64)
    log_likelier = spare.view(factors, -1).prod(0).log_().sum()
    softplus = torch.clamp_min(logits, 0.0, out=spare).sum() - log_likelier
    reconstruction = (torch.dot(x.reshape(-1), logits.reshape(-1)) - softplus) / rows
    return reconstruction, p.sub_(x).mul_(1.0 / rows)
