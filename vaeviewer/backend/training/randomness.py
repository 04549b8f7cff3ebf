"""Named sources of random numbers, all derived from one seed, so that none disturbs another."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor


def named_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the purpose that ``names`` spell, independent of those for other purposes."""
    words = [zlib.crc32(str(name).encode()) for name in names]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def named_generator(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on ``device`` seeded by :func:`named_seed`."""
    return torch.Generator(device=device).manual_seed(named_seed(seed, *names))


def seed_torch(seed: int, device: torch.device | str = "cpu") -> None:
    """Seed torch's own generators, which layers' first weights, ``Dropout`` and ``rsample`` draw from, asking for none.

    Args:
        seed: From 0 to 2**63 - 1.
        device: Whose generator follows, beside the CPU's.
    """
    torch.default_generator.manual_seed(seed)
    if torch.device(device).type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def epoch_order(seed: int, epoch: int, images: int) -> Tensor:
    """The order in which an epoch visits the images, a permutation, int64, on the CPU whatever the device."""
    return torch.randperm(images, generator=named_generator(seed, "order", epoch))
