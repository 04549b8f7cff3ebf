"""Settings that do nothing unless another one has some value."""

from __future__ import annotations

from vaeviewer.backend.config import Settings, fields, value_of

NEEDS = {
    "hidden": ("network", "mlp", "Only fully connected networks have them."),
    "decoder_hidden": ("tied", False, "Tied weights mirror the encoder's layers."),
    "tied": ("network", "mlp", "Only fully connected networks can have them."),
    "r1": ("objective", "non-saturating", "Only the non-saturating objective has it."),
    "gradient_penalty": ("objective", "wasserstein", "Only the Wasserstein objective has it."),
    "target": ("penalty", "kl", "Only the KL penalty has it."),
    "conv_channels": ("network", "conv", "Only convolutions have them."),
    "dense": ("network", "conv", "Only convolutions have it."),
    "normalisation": ("network", "conv", "Only convolutions have it."),
    "residual_blocks": ("network", "conv", "Only convolutions have them."),
    "gaussian_variance": ("likelihood", "gaussian", "Only the Gaussian likelihood has it."),
    "gaussian_scale": ("likelihood", "gaussian", "Only the Gaussian likelihood has it."),
}
"""Settings without effect unless another has some value: that setting, the value, the reason given."""


def without_effect(name: str, settings: Settings) -> str:
    """Why a setting does nothing beside the others as they are, a sentence; empty where it does something."""
    if name not in NEEDS:
        return ""
    other, needed, reason = NEEDS[name]
    there = any(field == other for _, field, _ in fields(settings))
    return reason if there and value_of(settings, other) != needed else ""
