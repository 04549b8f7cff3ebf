"""Which class an image looks like: a small convolutional classifier, trained on real images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from figures import images_of
from numpy.typing import NDArray
from torch import nn

from vaeviewer.backend.asked import Array, as_unit_floats

EPOCHS = 3
"""So it knows 99 of 100 of MNIST's digits."""

Judge = Callable[[NDArray[np.uint8] | Array], NDArray[np.int64]]
"""The class that each image ``(n, height, width)`` looks like most."""


def judge(data: str) -> tuple[Judge, float]:
    """A classifier trained on the images trained on, and its accuracy on those held out."""
    dataset = images_of(data)
    torch.manual_seed(0)
    network = nn.Sequential(
        *(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 64, 5, stride=2, padding=2),
            nn.ReLU(),
        ),
        *(
            nn.Flatten(),
            nn.LazyLinear(128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, len(dataset.class_names)),
        ),
    )
    x = torch.tensor(as_unit_floats(dataset.train_images))[:, None]
    y = torch.tensor(dataset.train_labels)
    network(x[:1])
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(EPOCHS * max(1, 60_000 // len(x))):
        for rows in torch.randperm(len(x)).split(128):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
    network.eval()

    @torch.no_grad()
    def classes(images: NDArray[np.uint8] | Array) -> NDArray[np.int64]:
        parts = torch.tensor(as_unit_floats(images))[:, None].split(1000)
        found: NDArray[np.int64] = torch.cat([network(part).argmax(1) for part in parts]).numpy()
        return found

    return classes, float((classes(dataset.held_out_images) == dataset.held_out_labels).mean())
