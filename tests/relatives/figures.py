"""What the measurements of this folder share: figures with their bars, data, and training to the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.evidence import evidence
from vaeviewer.backend.config import Settings, presets, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Array, Snapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.affinity import any_core
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.native.cores import available_cores


@dataclass(frozen=True)
class Figure:
    """A number and what it has to be; without a bar it is only stated.

    Attributes:
        value: The number.
        at_least: It has to be this or more.
        at_most: It has to be this or less.
    """

    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it meets its bars; NaN meets none."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def as_json(self) -> dict[str, Any]:
        """What it is, and, where it has a bar, whether it meets it."""
        bars = {"at_least": self.at_least, "at_most": self.at_most}
        bars = {name: bar for name, bar in bars.items() if bar is not None}
        return {"value": self.value, **bars, **({"holds": self.holds} if bars else {})}

    def __str__(self) -> str:
        said = [f"{self.value:.5g}"]
        if self.at_least is not None:
            said.append(f"at least {self.at_least:.5g}")
        if self.at_most is not None:
            said.append(f"at most {self.at_most:.5g}")
        return ", ".join(said) + ("" if self.holds else ": MISSED")


@cache
def images_of(data: str) -> ImageDataset:
    """MNIST in a folder, or, where none is named, the bundled digits."""
    return load_dataset("mnist", data) if data else load_dataset()


def trained(data: str, family: str, preset: str = "default", **settings: Any) -> tuple[Trainer, float]:
    """A model of a preset, with some settings changed, trained to the end of its epochs; and the seconds it took."""
    chosen: Settings = updated(presets(family)[preset], **settings)
    trainer = Trainer(images_of(data), chosen)
    begin = time.perf_counter()
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    return trainer, time.perf_counter() - begin


def mean_log_px(snapshot: Snapshot, images: NDArray[np.uint8] | Array) -> float:
    """The mean of log p(x) of images as :meth:`Snapshot.encode` has them, by quadrature, nats."""
    any_core()  # as training leaves this thread, and so those it starts, pinned to one
    found = evidence(snapshot, images, workers=available_cores())
    assert found is not None, "nobody cancels it"
    return float(found.log_px.mean())
