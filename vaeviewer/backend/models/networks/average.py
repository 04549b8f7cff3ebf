"""A slowly moving average of a network's weights, which is part of a model's state but of no gradient."""

from __future__ import annotations

import torch
from torch import nn


def as_buffers(network: nn.Module) -> nn.Module:
    """Turn all parameters of a network into buffers, in place: nothing descends them, ``state_dict`` keeps them."""
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach().clone())
    return network


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move each weight of ``average`` by the share 1 − decay towards that of ``network``, which has the same names.

    What counts instead of weighing, as batch normalisation's batches, is copied.
    """
    weights = network.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(weights[name], 1.0 - decay)
        else:
            mean.copy_(weights[name])
