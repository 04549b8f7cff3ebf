"""Dead units are counted as a hand-made forward pass in NumPy counts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vaeviewer.analysis.dead_units import LayerUnits, dead_units, may_die
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.latent_model import state_shapes
from vaeviewer.backend.snapshot import Snapshot, snapshot_of


def snapshot_with(dataset: ImageDataset, **changes: Any) -> Snapshot:
    settings = updated(Settings(), activation="relu", **changes)
    shapes, _ = state_shapes(settings.model, dataset.spec)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, (_, shape) in shapes.items()}
    return snapshot_of(settings.model, dataset.spec, weights, protocol=settings.train.protocol)


def counted(snapshot: Snapshot, dataset: ImageDataset, labels: bool = False) -> tuple[LayerUnits, ...]:
    *_, layers = dead_units(snapshot, dataset.train_images, dataset.train_labels if labels else None)
    assert layers is not None
    return layers


@pytest.mark.parametrize("protocol", ["grey", "threshold"])
def test_they_are_those_that_no_image_excites(digits: ImageDataset, protocol: str) -> None:
    plain = snapshot_with(digits, hidden=(40, 30), protocol=protocol)
    weights = {name: array.copy() for name, array in plain.weights.items()}
    weights["encoder.0.bias"][:7] = -1e3
    weights["decoder.1.bias"][5:16] = -1e3
    snapshot = snapshot_of(plain.model, plain.data, weights, protocol=plain.protocol)

    x = digits.train_images.reshape(600, -1) / 255.0
    x = x if protocol == "grey" else (x > 0.5).astype(float)
    dead = []
    for network in ("encoder", "decoder"):
        for layer in (0, 1):
            w, b = weights[f"{network}.{layer}.weight"], weights[f"{network}.{layer}.bias"]
            x = np.maximum(x @ w.T + b, 0.0)
            dead.append(int((x == 0.0).all(axis=0).sum()))
        x = (
            (x @ weights["encoder.2.weight"].T + weights["encoder.2.bias"])[:, :2]
            if network == "encoder"
            else x
        )
    assert dead[0] >= 7
    assert dead[3] >= 11
    found = counted(snapshot, digits)
    assert [(u.network, u.layer, u.units, u.images) for u in found] == [
        ("encoder", 1, 40, 600),
        ("encoder", 2, 30, 600),
        ("decoder", 1, 30, 600),
        ("decoder", 2, 40, 600),
    ]
    assert [u.dead for u in found] == dead


def test_feature_maps_of_convolutions_are_units(digits: ImageDataset) -> None:
    plain = snapshot_with(digits, network="conv", conv_channels=4, dense=8)
    name = next(
        name for name, array in plain.weights.items() if name.startswith("encoder") and array.ndim == 4
    )
    weights = {key: array.copy() for key, array in plain.weights.items()}
    weights[name][1] = 0.0
    weights[name.replace("weight", "bias")][1] = -1.0
    found = counted(snapshot_of(plain.model, plain.data, weights), digits)
    assert (found[0].dead, found[0].units) == (1, 4)


def test_models_that_see_classes_are_asked_with_them(digits: ImageDataset) -> None:
    assert len(counted(snapshot_with(digits, family="conditional", hidden=(16,)), digits, labels=True)) == 2


def test_only_rectified_networks_with_an_encoder_are_asked(digits: ImageDataset) -> None:
    assert may_die(snapshot_with(digits))
    assert not may_die(snapshot_of(Settings().model, digits.spec, {}))
    assert not may_die(snapshot_with(digits, family="gan"))
