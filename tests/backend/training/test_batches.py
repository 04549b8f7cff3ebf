"""Every epoch uses each image once, in an order of its own, and any place can be gone back to."""

from __future__ import annotations

import sys

import torch
from hypothesis import given
from hypothesis import strategies as st

from vaeviewer.backend.training.batches import Batches

CPU = torch.device("cpu")


@given(images=st.integers(1, 60), size=st.integers(1, 80), seed=st.integers(0, 5))
def test_an_epoch_uses_whole_batches_of_different_images(images: int, size: int, seed: int) -> None:
    batches = Batches(images, size, seed, CPU)
    assert batches.size == min(images, size)
    assert batches.left == batches.per_epoch == images // batches.size
    seen = []
    while batches.passes == 0:
        together = batches.next(batches.left)
        batch = batches.next()
        assert torch.equal(together[: batches.size], batch)
        assert len(batch) == batches.size
        assert len(together) == batches.left * batches.size
        seen += batch.tolist()
        batches.advance()
    assert len(set(seen)) == len(seen) == images // batches.size * batches.size
    assert (batches.epoch, batches.image, batches.step) == (1, 0, images // batches.size)


def test_orders_differ_by_epoch_and_seed_and_are_the_same_again() -> None:
    def order(seed: int, passes: int) -> list[int]:
        batches = Batches(50, 50, seed, CPU)
        batches.go_to(passes, passes, 0, 50)
        return batches.next().tolist()

    orders = [order(seed, passes) for seed in (0, 1) for passes in (0, 1, 2)]
    assert len({tuple(each) for each in orders}) == 6
    assert order(1, 2) == orders[5]


def test_a_place_can_be_gone_back_to() -> None:
    batches = Batches(50, 8, 3, CPU)
    for _ in range(9):
        batches.advance()
    place = batches.step, batches.passes, batches.image, batches.size
    following = []
    for _ in range(5):
        following.append(batches.next().tolist())
        batches.advance()
    batches.go_to(*place)
    for expected in following:
        assert batches.next().tolist() == expected
        batches.advance()


def test_where_fewer_images_are_left_the_next_epoch_begins() -> None:
    batches = Batches(50, 8, 3, CPU)
    batches.go_to(12, 1, 45, 8)
    assert (batches.step, batches.passes, batches.image) == (12, 2, 0)
    batches.go_to(12, 1, 0, 90)
    assert batches.size == 50


def test_batches_until_an_epoch_are_counted() -> None:
    batches = Batches(50, 8, 3, CPU)
    assert batches.until(1) == 6
    batches.advance()
    assert batches.until(1) == 5
    assert batches.until(1.25) == 7, "any part of a step is one"
    assert batches.until(batches.epoch) == batches.until(0) == 0
    assert batches.until(float("inf")) == sys.maxsize
