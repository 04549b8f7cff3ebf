"""What players of a game against each other descend. A discriminator maps ``(n, ...)`` to logits ``(n, 1)``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Discriminator = Callable[[Tensor], Tensor]


def held_fixed(network: nn.Module) -> Discriminator:
    """The network as a function of its input alone: no gradient of its weights is computed."""

    def answer(x: Tensor) -> Tensor:
        weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
        found: Tensor = torch.func.functional_call(network, weights, (x,))
        return found

    return answer


def telling_apart(real: Tensor, generated: Tensor) -> Tensor:
    """−log D(x) − log(1 − D(x̃)) of each pair of logits, ``(n,)``: Goodfellow et al. 2014, equation 1, lowered."""
    return (functional.softplus(-real) + functional.softplus(generated)).squeeze(1)


def passing_as_real(generated: Tensor) -> Tensor:
    """−log D(x̃) of each logit, ``(n,)``: the non-saturating loss of Goodfellow et al. 2014, section 3."""
    return functional.softplus(-generated).squeeze(1)


# A graph that torch.compile made has no second derivatives (torch 2.14).
@torch.compiler.disable  # type: ignore[untyped-decorator]
def squared_gradient(
    discriminator: Discriminator, x: Tensor, *, differentiable: bool
) -> tuple[Tensor, Tensor]:
    """Logits at x, ``(n, 1)``, and ‖∂D/∂x‖² of each, ``(n,)``, perhaps itself differentiable in the weights.

    In float32 even under autocast: processors without AMX take seconds for second derivatives of bfloat16 convolutions.
    """
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        x = x.detach().requires_grad_()
        logits = discriminator(x)
        (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=differentiable, retain_graph=True)
    return logits, gradient.square().flatten(1).sum(1)


def mixed(real: Tensor, generated: Tensor, shares: Tensor) -> Tensor:
    """x̂ = ε x + (1 − ε) x̃, one ε for each pair, ``(n,)``: Gulrajani et al. 2017, algorithm 1, line 6."""
    weights = shares.view(-1, *[1] * (real.dim() - 1))
    return weights * real + (1.0 - weights) * generated
