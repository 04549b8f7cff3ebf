"""Named sources of randomness are independent and repeat."""

from __future__ import annotations

import torch

from vaeviewer.backend.training.randomness import epoch_order, named_generator, named_seed


def test_names_and_seeds_give_different_streams() -> None:
    seeds = {
        named_seed(s, *names)
        for s in (0, 1, 2)
        for names in (("noise",), ("weights",), ("order", 0), ("order", 1))
    }
    assert len(seeds) == 12


def test_the_same_name_repeats() -> None:
    a, b = named_generator(3, "noise"), named_generator(3, "noise")
    assert torch.equal(torch.rand(5, generator=a), torch.rand(5, generator=b))


def test_orders_are_permutations_that_depend_on_the_epoch() -> None:
    first, second = epoch_order(0, 0, 100), epoch_order(0, 1, 100)
    assert sorted(first.tolist()) == list(range(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, epoch_order(0, 0, 100))
