"""The gradient of the training objective, written by hand: the numbers of automatic differentiation, faster.

The large matrix products may run in bfloat16; weights, sums and everything that touches z stay in float32, so
posterior means are never rounded. A test holds it against autograd of ``VAE.terms`` in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vaeviewer.backend.config import ModelConfig
from vaeviewer.backend.models.flat import FlatParameters
from vaeviewer.backend.models.forward import MAX_LOG_VARIANCE
from vaeviewer.backend.models.likelihoods import MIN_GAUSSIAN_LOG_VARIANCE, Gaussian
from vaeviewer.backend.models.networks import ACTIVATIONS
from vaeviewer.backend.models.vae import VAE

# Each takes the gradient at an activation's output, its input and its output, and gives that at its input.
BACKWARD: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "tanh": lambda grad, _before, after: torch.ops.aten.tanh_backward(grad, after),
    "relu": lambda grad, before, _after: torch.ops.aten.threshold_backward(grad, before, 0),
    "silu": lambda grad, before, _after: torch.ops.aten.silu_backward(grad, before),
}


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
        model: Shapes and likelihood.
        vae: The model, on its device. Its parameters become views of :attr:`parameters`.
        dtype: Of the large matrix products: the parameters' own, or ``bfloat16``.

    Attributes:
        parameters: The model's parameters in one tensor, and their gradient.
    """

    def __init__(self, model: ModelConfig, vae: VAE, dtype: torch.dtype) -> None:
        last = len(model.hidden)
        # All but the two layers that touch z.
        large = [f"encoder.{i}.weight" for i in range(last)] + [
            f"decoder.{i}.weight" for i in range(1, last + 1)
        ]
        self.parameters = flat = FlatParameters(vae, first=large)
        self._model = model
        self._likelihood = vae.likelihood
        self._activation = ACTIVATIONS[model.activation]
        self._backward = BACKWARD[model.activation]
        self._large = flat.values.detach()[: flat.length(large)]
        self._large_grad = flat.grad[: flat.length(large)]
        self._own_dtype = dtype == flat.values.dtype
        # Cast to and from the products' precision all at once.
        self._low = self._large if self._own_dtype else self._large.to(dtype)
        self._low_grad = self._large_grad if self._own_dtype else torch.zeros_like(self._low)
        weights = {**flat.views(flat.values.detach()), **flat.views(self._low)}
        grads = {**flat.views(flat.grad), **flat.views(self._low_grad)}
        self._grads = grads
        self._buffers = (torch.empty(0), torch.empty(0))
        self._encoder = [_Layer(f"encoder.{i}", weights, grads) for i in range(last + 1)]
        self._decoder = [_Layer(f"decoder.{i}", weights, grads) for i in range(last + 1)]

    @torch.no_grad()
    def __call__(self, x: Tensor, noise: Tensor, beta: float | Tensor) -> StepTerms:
        """Leave the gradient in ``parameters.grad`` and return the terms.

        Args:
            x: ``(n, pixels)``, values in 0 … 1.
            noise: Standard normal, ``(samples, n, latent_dim)``.
            beta: Weight of the KL term.
        """
        samples, n, dim = noise.shape
        if not self._own_dtype:
            self._low.copy_(self._large)

        head, encoder_inputs, encoder_sums = self._run(self._encoder, x)
        loc, raw = head[:, :dim], head[:, dim:]
        log_variance = raw.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        scale = torch.exp(0.5 * log_variance)
        variance = scale.square()
        kl = (0.5 / n) * (loc.square() + variance - log_variance - 1.0).sum()

        z = (loc + scale * noise).view(samples * n, dim)  # all samples of all images as rows
        outputs, decoder_inputs, decoder_sums = self._run(self._decoder, z)
        targets = x if samples == 1 else x.repeat(samples, 1)
        if isinstance(self._likelihood, Gaussian):
            reconstruction, grad = self._gaussian(self._likelihood, outputs, targets)
        else:
            reconstruction, grad = _bernoulli(outputs, targets, *self._spare(outputs))

        dz = self._run_back(self._decoder, grad, decoder_inputs, decoder_sums)
        dz = (dz @ self._decoder[0].weight).view(samples, n, dim)
        # Through the sample z = μ + σ·ε and through the KL.
        share = beta / n
        d_loc = dz.sum(0) + share * loc
        d_log_variance = 0.5 * ((dz * noise).sum(0) * scale + share * (variance - 1.0))
        d_log_variance = d_log_variance * (raw.abs() <= MAX_LOG_VARIANCE)
        d_head = torch.cat([d_loc, d_log_variance], dim=1)
        self._run_back(self._encoder, d_head, encoder_inputs, encoder_sums)
        if not self._own_dtype:
            self._large_grad.copy_(self._low_grad)
        return StepTerms(reconstruction, kl, loc, log_variance)

    def _run(self, layers: list[_Layer], x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The output in full precision, each layer's input, and each layer's sum before the activation."""
        inputs, sums = [], []
        for i, layer in enumerate(layers):
            x = (self._activation(x) if i else x).to(layer.weight.dtype)
            inputs.append(x)
            x = layer.forward(x)
            sums.append(x)
        return x.to(self.parameters.values.dtype), inputs, sums

    def _run_back(
        self, layers: list[_Layer], grad: Tensor, inputs: list[Tensor], sums: list[Tensor]
    ) -> Tensor:
        """Leave all layers' gradients; returns that at the first layer's sum."""
        for i in range(len(layers) - 1, 0, -1):
            grad = grad.to(layers[i].weight.dtype)
            layers[i].backward(grad, inputs[i])
            grad = grad @ layers[i].weight
            # The input of this layer is the activation of the sum before it, perhaps in another precision.
            before = sums[i - 1].to(grad.dtype)
            grad = self._backward(grad, before, inputs[i])
        first = grad.to(layers[0].weight.dtype)
        layers[0].backward(first, inputs[0])
        return first

    def _spare(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Two tensors like ``like`` to write over, the same ones at every step."""
        if self._buffers[0].shape != like.shape:
            self._buffers = (torch.empty_like(like), torch.empty_like(like))
        return self._buffers

    def _gaussian(self, likelihood: Gaussian, outputs: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean log p(x|z), and its negative's gradient at the outputs and at a learned log-variance."""
        rows, pixels = outputs.shape
        log_variance = likelihood.log_variance.detach().clamp(min=MIN_GAUSSIAN_LOG_VARIANCE)
        precision = torch.exp(-log_variance)
        mean = torch.sigmoid(outputs)
        residual = mean - x
        squares = residual.square().sum() * precision / rows
        constant = pixels * (log_variance + math.log(2 * math.pi))
        if "likelihood.log_variance" in self._grads:
            bounded = likelihood.log_variance.detach() >= MIN_GAUSSIAN_LOG_VARIANCE
            self._grads["likelihood.log_variance"].copy_(0.5 * (pixels - squares) * bounded)
        grad = residual * mean * (1.0 - mean) * (precision / rows)
        return (-0.5 * (squares + constant)).squeeze(0), grad


class _Layer:
    """One linear layer's weights and where its gradients go, ``weight`` perhaps in a lower precision."""

    def __init__(self, name: str, weights: Mapping[str, Tensor], grads: Mapping[str, Tensor]) -> None:
        self.weight = weights[f"{name}.weight"]
        self._bias = weights[f"{name}.bias"]
        self._weight_grad = grads[f"{name}.weight"]
        self._bias_grad = grads[f"{name}.bias"]

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self._bias.to(x.dtype), x, self.weight.t())

    def backward(self, grad: Tensor, x: Tensor) -> None:
        torch.mm(grad.t(), x, out=self._weight_grad)
        # Summed in the bias's own precision, which is also the faster way.
        torch.sum(grad.to(self._bias_grad.dtype), 0, out=self._bias_grad)


def _bernoulli(logits: Tensor, x: Tensor, p: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
    """Mean log p(x|z), and its negative's gradient at the logits.

    ``p`` and ``spare``, of the logits' shape, are written over; the gradient is returned in ``p``. Memory that is
    used again stays in the processor's cache, which makes these passes several times faster.

    log p = x·l − softplus(l), and softplus(l) = max(l, 0) − log σ(|l|), where σ(|l|) = max(p, 1 − p) is at least
    one half: this needs no exponential beyond the one in p, and the logarithm is exact where it matters.
    """
    rows = len(logits)
    torch.sigmoid(logits, out=p)
    torch.neg(p, out=spare).add_(1.0)
    torch.maximum(p, spare, out=spare)
    log_likelier = spare.log_().sum()
    softplus = torch.clamp_min(logits, 0.0, out=spare).sum() - log_likelier
    reconstruction = (torch.dot(x.reshape(-1), logits.reshape(-1)) - softplus) / rows
    return reconstruction, p.sub_(x).mul_(1.0 / rows)
