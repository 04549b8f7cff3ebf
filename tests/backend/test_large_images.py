"""Images of 256×256 take the memory of a few dozen at a time, not of thousands."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from bounds import grows_by_less_than

from vaeviewer.analysis.manifold import manifold_picture
from vaeviewer.backend.chunks import CHUNK_BYTES
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.data.pixels import as_tensor, seen_levels
from vaeviewer.backend.training.device import torch_threads
from vaeviewer.backend.training.evaluation import EVALUATION_SEED, HeldOutImages
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

COUNT = 900
FEW_CHUNKS = 11 * CHUNK_BYTES
"""All images as float32 take more: 236 MB. One look takes up to 8, as the allocator keeps what others gave back."""


@pytest.fixture
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def large() -> ImageDataset:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 256, 256), dtype=np.uint8)
    labels = np.arange(COUNT) % 2
    return ImageDataset("noise", DataSource(key="folder"), images, labels, images[::-1], labels, ("0", "1"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("protocol", ["grey", "dynamic"])
def test_large_images_are_looked_at_a_few_at_a_time(large: ImageDataset, protocol: str) -> None:
    assert 4 * large.train_images.size > FEW_CHUNKS
    settings = updated(Settings(), hidden=[8], threads=1, protocol=protocol)
    with grows_by_less_than(FEW_CHUNKS + 8 * 4 * (2 * 8 * 256 * 256)):  # and some copies of the weights
        trainer = Trainer(large, settings)
    trainer.evaluate()  # allocates what stays: binary images, noise
    snapshot = trainer.snapshot()
    for look in (
        trainer.evaluate,
        trainer.refresh_posterior,
        lambda: snapshot.encode(large.held_out_images),
        lambda: manifold_picture(snapshot, 22, "equal"),
    ):
        with grows_by_less_than(FEW_CHUNKS):
            look()


def test_a_processor_trains_on_the_data_sets_own_memory(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, small)
    before = digits.train_images.copy()
    assert trainer._rows.images.data_ptr() == digits.train_images.ctypes.data
    for _ in range(3):
        trainer.step()
    np.testing.assert_array_equal(digits.train_images, before)
    assert not digits.train_images.flags.writeable


def test_shared_memory_lives_as_long_as_its_tensor() -> None:
    array = np.full(10**7, 7, np.uint8)
    array.setflags(write=False)
    tensor = as_tensor(array)
    del array
    gc.collect()
    np.full(10**7, 1, np.uint8)
    assert bool((tensor == 7).all())
    gaps = np.arange(100, dtype=np.uint8)[::2]
    assert as_tensor(gaps).tolist() == gaps.tolist()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_binary_images_are_drawn_in_parts_as_they_were_at_once(large: ImageDataset, small: Settings) -> None:
    found = HeldOutImages(large, updated(small, protocol="dynamic"), torch.device("cpu"))
    assert found._at_once < COUNT
    images = torch.tensor(large.held_out_images[:200].reshape(200, -1).copy())
    at_once = seen_levels(images, "dynamic", named_generator(EVALUATION_SEED, "pixels"))
    assert torch.equal(found._levels[:200].reshape(200, -1), at_once)
