"""How good a model is: held-out figures with fixed noise, the same for every run, and a quick look at the weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.chunks import MOST_ROWS, parts, rows_at_once
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.pixels import as_tensor, channels_first, pixels, seen_levels, to_unit
from vaeviewer.backend.models.interface import Batch
from vaeviewer.backend.models.latent_model import LatentModel, ask
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.engines.interface import Work
from vaeviewer.backend.training.randomness import named_generator, seed_torch
from vaeviewer.backend.training.records import HeldOut

Answer = TypeVar("Answer")

HELD_OUT_DRAWS = 2_000
"""Held-out figures use at least this many draws of z in all: two per image for 1,000 images, one for 10,000."""

EVALUATION_SEED = 1312_6114
"""Seed of the fixed noise."""

LOOK_ROWS = 32
"""Images that tell how good the untrained network is, and whether a state is worth keeping."""


@torch.no_grad()
def first_look(work: Work) -> float:
    """The objective of the weights now, averaged over a few training images with z at the posterior mean."""
    rows, settings = work.rows, work.settings
    few = torch.arange(min(LOOK_ROWS, len(rows)), device=work.device)
    x = rows.shaped(pixels(rows.images[: len(few)], settings.train.protocol))
    labels = None if rows.labels is None else rows.labels[: len(few)]
    noise = torch.zeros(1, len(few), settings.model.latent_dim, device=work.device)
    batch = Batch(x, labels, few, named_generator(0, "first look", device=work.device))
    work.model.eval()
    terms = settings.family.evaluate(work.model, batch, noise, settings.model)
    work.model.train()
    means = {key: float(values.mean()) for key, values in terms.items()}
    return float(settings.family.objective(settings.model, means))


def levels_by_image(
    snapshot: Snapshot, dataset: ImageDataset, at_once: int, *, held_out: bool = False
) -> Iterator[tuple[slice, Tensor]]:
    """Images as a model sees them in the figures of each, in order, some at a time.

    A dynamic protocol binarises them by draws that are the same at every call, however many come at a time.

    Args:
        snapshot: The model.
        dataset: The images, as the model was trained on.
        at_once: Most images at a time.
        held_out: Those held out, or those trained on.

    Yields:
        Which they are, and their grey levels, uint8 ``(k, C, H, W)``.
    """
    generator = named_generator(EVALUATION_SEED, "pixels by image", int(held_out))
    images = dataset.held_out_images if held_out else dataset.train_images
    for part in parts(len(images), at_once):
        levels = channels_first(as_tensor(images[part]), snapshot.image)
        yield (
            slice(part.start, part.start + len(levels)),
            seen_levels(levels, snapshot.protocol, generator),
        )


def metrics_by_image(
    snapshot: Snapshot, dataset: ImageDataset, at_once: int, *, held_out: bool = False, workers: int = 1
) -> Iterator[tuple[slice, dict[str, NDArray[np.float32]]]]:
    """The family's metrics of each image trained on, or held out, some at a time, with one draw of z each.

    Draws are the same at every call, so that what changes are the weights.

    Args:
        snapshot: The model.
        dataset: The images, as the model was trained on.
        at_once: Most images at a time; fewer where the networks are wide.
        held_out: Which of them.
        workers: Threads, each with one core of torch's; one: all is computed on the thread that asks.

    Yields:
        Which images, and their metrics by key, stored and derived, each ``(k,)``.
    """
    family, spec, config = snapshot.family, snapshot.image, snapshot.model
    labels = dataset.held_out_labels if held_out else dataset.train_labels
    name = "held out, by image" if held_out else "by image"
    noises = named_generator(EVALUATION_SEED, name)

    def computed(part: slice, levels: Tensor, noise: Tensor) -> dict[str, NDArray[np.float32]]:
        x, y = to_unit(levels), torch.tensor(labels[part])
        rows = torch.full((len(x),), -1) if held_out else torch.arange(part.start, part.stop)
        batch = Batch(x, y, rows, named_generator(EVALUATION_SEED, name, part.start))
        terms = ask(
            snapshot.key, snapshot.tensors, lambda model: family.evaluate(model, batch, noise, config)
        )
        return family.metrics.complete({key: term.numpy() for key, term in terms.items()})

    at_once = min(at_once, rows_at_once(config.widest(spec.values)))
    work = (
        (part, levels, torch.randn(1, len(levels), config.latent_dim, generator=noises))
        for part, levels in levels_by_image(snapshot, dataset, at_once, held_out=held_out)
    )
    yield from _in_order(work, computed, workers)


def _in_order(
    work: Iterator[tuple[slice, Tensor, Tensor]],
    computed: Callable[[slice, Tensor, Tensor], Answer],
    workers: int,
) -> Iterator[tuple[slice, Answer]]:
    """What is computed of each piece of work, with its slice, on so many threads."""
    if workers == 1:
        for piece in work:
            yield piece[0], computed(*piece)
        return
    with ThreadPoolExecutor(workers, "by image", lambda: torch.set_num_threads(1)) as pool:
        under_way: deque[tuple[slice, Future[Answer]]] = deque()
        for piece in work:
            under_way.append((piece[0], pool.submit(computed, *piece)))
            if len(under_way) > workers:
                part, answer = under_way.popleft()
                yield part, answer.result()
        for part, answer in under_way:
            yield part, answer.result()


class HeldOutImages:
    """A data set's held-out images under a protocol, on a device, with their noise.

    Args:
        dataset: Its held-out images are copied to the device, or read where they are on a CPU.
        settings: The family, its latent dimension, and the protocol: ``grey``, ``dynamic`` (binarised once, by fixed
            draws) or ``threshold``.
        device: Where models compute.
    """

    def __init__(self, dataset: ImageDataset, settings: Settings, device: torch.device) -> None:
        m = len(dataset.held_out_images)
        samples = -(-HELD_OUT_DRAWS // max(1, m))
        self._family = settings.family
        images = channels_first(as_tensor(dataset.held_out_images), dataset.image)
        widest = settings.model.widest(dataset.image.values)
        self._at_once = rows_at_once(samples * widest, most=max(1, MOST_ROWS // samples))
        # Drawn on the CPU, so that every device sees the same binary images and noise.
        protocol, draws = settings.train.protocol, named_generator(EVALUATION_SEED, "pixels")
        levels = images if protocol == "grey" else torch.empty_like(images)
        if protocol != "grey":
            for part in parts(m, self._at_once):
                levels[part] = seen_levels(images[part], protocol, draws)
        noise = torch.randn(
            samples, m, settings.model.latent_dim, generator=named_generator(EVALUATION_SEED, "noise")
        )
        self._levels = levels.to(device)  # (m, C, H, W), uint8
        self._y = torch.tensor(dataset.held_out_labels).to(device)
        self._noise = noise.to(device)  # (samples, m, latent_dim)

    @property
    def images(self) -> NDArray[np.uint8]:
        """Grey levels as the model sees them, ``(m, height, width)`` or ``(m, height, width, 3)``, from the CPU."""
        last = self._levels.permute(0, 2, 3, 1)
        levels: NDArray[np.uint8] = (last[..., 0] if last.shape[-1] == 1 else last).numpy()
        return levels

    @torch.no_grad()
    def evaluate(self, model: LatentModel, settings: Settings) -> HeldOut | None:
        """The family's metrics, float32 throughout, averaged over images; ``None`` where none are held out."""
        samples, m, _ = self._noise.shape
        if m == 0:
            return None
        stored = self._family.metrics.stored
        totals = torch.zeros(len(stored), dtype=torch.float64)
        generator = torch.Generator(self._levels.device).manual_seed(EVALUATION_SEED)
        seed_torch(EVALUATION_SEED, self._levels.device)
        model.eval()
        try:
            for part in parts(m, self._at_once):
                y = self._y[part]
                none = torch.full((len(y),), -1, device=y.device)
                batch = Batch(to_unit(self._levels[part]), y, none, generator)
                terms = self._family.evaluate(model, batch, self._noise[:, part], settings.model)
                totals += torch.stack([terms[key].sum() for key in stored]).cpu()
        finally:
            model.train()
        means = dict(zip(stored, (totals / m).tolist(), strict=True))
        return HeldOut(self._family.metrics.complete(means), samples)
