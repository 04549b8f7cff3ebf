"""One row of the table that shows how speed and memory grow with images, latent variables and hidden units."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QApplication

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.bench import memory
from vaeviewer.bench.common import median, say, tiled
from vaeviewer.bench.plane import PlanePanel, drifting, refresh_ms
from vaeviewer.bench.stage import hush_qt
from vaeviewer.bench.training import FOREVER, trainer_speed


def measure(quick: bool, images: int, latent_dim: int, hidden: list[int]) -> dict[str, Any]:
    """One row of ``growth``: training speed, time of a plane's refresh, and the most memory this process took."""
    say(f"growth, {images:,} images, latent {latent_dim}, hidden {', '.join(map(str, hidden))}")
    dataset = tiled(load_dataset(), images)
    settings = updated(Settings(), latent_dim=latent_dim, hidden=hidden, epochs=FOREVER)
    trainer = Trainer(dataset, settings)
    trainer_speed(trainer, 0.2 if quick else 1.0)
    speeds = [trainer_speed(trainer, 0.3 if quick else 1.0) for _ in range(2 if quick else 5)]
    plane_ms = None
    if latent_dim == 2:
        hush_qt()
        app = QApplication.instance() or QApplication([])
        assert app is not None
        posterior = trainer.snapshot().posterior
        assert posterior is not None, "a trainer's snapshots have one"
        panel = PlanePanel(dataset.train_labels)
        plane_ms = refresh_ms(panel, drifting(posterior.loc), 5 if quick else 30)
    return {
        "images": images,
        "latent_dim": latent_dim,
        "hidden": hidden,
        "images_per_s": median(speeds),
        "plane_refresh_ms": plane_ms,
        "memory_mb": memory.peak_mb(),
    }
