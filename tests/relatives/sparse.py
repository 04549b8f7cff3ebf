"""How sparse the sparse autoencoder's codes are, beside what was set, and what that costs."""

from __future__ import annotations

from figures import Figure, trained

from vaeviewer.backend.models.families.sparse import SparseConfig


def measure(data: str) -> dict[str, Figure]:
    """The mean activation against its target, and the error, of the KL penalty and of L1."""
    kl, seconds = trained(data, "sparse")
    l1, _ = trained(data, "sparse", "l1")
    assert kl.held_out is not None
    assert l1.held_out is not None
    config = kl.settings.model
    assert isinstance(config, SparseConfig)
    of_kl, of_l1, pixels = kl.held_out.values, l1.held_out.values, kl.dataset.image.values
    return {
        "mean activation": Figure(
            of_kl["activation"], at_least=0.8 * config.target, at_most=1.2 * config.target
        ),
        "share above one half": Figure(of_kl["active"]),
        "squared error per pixel": Figure(of_kl["squared_error"] / pixels),
        "seconds of training": Figure(seconds),
        "l1: share above zero": Figure(of_l1["active"]),
        "l1: squared error per pixel": Figure(of_l1["squared_error"] / pixels),
    }
