"""Run folders of earlier formats, as the newest says the same.

Up to format 3 no state of the best epoch was kept. Format 1 had no ``in_training``. Up to format 2 there was one
family; its β and samples stood among the settings of training, as did what computes; held-out figures were three
fields, and the optimizer's arrays were of all parameters in one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

from numpy.typing import NDArray

FORMAT = 4
"""Raised whenever an older program could misread what is written."""

_MODEL = ("beta", "samples")
_COMPUTE = ("device", "precision", "threads")
_GONE = ("repeatable", "cuda_graph")


def upgraded_manifest(data: bytes) -> bytes:
    """A manifest of an earlier format as one of the newest; what is wrong with it is left for the reader to say."""
    manifest = json.loads(data)
    if manifest.get("format") == 3:
        return data
    settings = manifest.get("settings")
    if isinstance(settings, dict) and isinstance(settings.get("train"), dict):
        train = settings["train"]
        if isinstance(settings.setdefault("model", {}), dict):
            settings["model"] |= {name: train.pop(name) for name in _MODEL if name in train}
        settings["compute"] = {name: train.pop(name) for name in _COMPUTE if name in train}
        for name in _GONE:
            train.pop(name, None)
    checkpoints = manifest.get("checkpoints")
    for checkpoint in checkpoints if isinstance(checkpoints, list) else ():
        held_out = checkpoint.get("held_out") if isinstance(checkpoint, dict) else None
        if isinstance(held_out, dict) and "samples" in held_out:
            samples = held_out.pop("samples")
            checkpoint["held_out"] = {"values": held_out, "samples": samples}
    return json.dumps(manifest).encode()


def upgraded_optimizer(
    tensors: Mapping[str, NDArray[Any]], parameters: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[Any]]:
    """A training file's arrays with the optimizer's cut into one per parameter; one of format 3 as it is.

    Told by the arrays' names: a manifest of format 3 may name files that were written before.

    Args:
        tensors: ``optimizer.exp_avg`` and the like, of all parameters in one: first the weights, then the biases of
            all layers but the two that touch z, then the others in order.
        parameters: Their shapes by name, in order.

    Raises:
        ValueError: An array is of another length than the parameters together.
    """
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in parameters if name[-1].isalpha()))
    encoder = [name for name in layers if name.startswith("encoder.")]
    decoder = [name for name in layers if name.startswith("decoder.")]
    inner = [*encoder[:-1], *decoder[1:]]
    first = [f"{layer}.{kind}" for kind in ("weight", "bias") for layer in inner]
    order = [*first, *(name for name in parameters if name not in first)]
    upgraded = {}
    for key, array in tensors.items():
        prefix, _, name = key.partition(".")
        if prefix != "optimizer" or "." in name:
            upgraded[key] = array
        elif array.ndim == 0:  # the count of steps
            upgraded |= {f"optimizer.model.{parameter}.{name}": array for parameter in order}
        else:
            sizes = [prod(parameters[parameter]) for parameter in order]
            if array.shape != (sum(sizes),):
                raise ValueError(
                    f"{key} has shape {array.shape}, but the model has {sum(sizes):,} parameters"
                )
            start = 0
            for parameter, size in zip(order, sizes, strict=True):
                part = array[start : start + size].reshape(parameters[parameter])
                upgraded[f"optimizer.model.{parameter}.{name}"] = part
                start += size
    return upgraded
