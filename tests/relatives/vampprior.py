"""The learned priors: held-out ELBO and KL beside those of a VAE trained for as many epochs."""

from __future__ import annotations

from figures import Figure, trained

EPOCHS = 10


def measure(data: str) -> dict[str, Figure]:
    """Held-out figures in nats, and seconds."""
    figures = {}
    for family, preset in (("vae", "default"), ("vampprior", "default"), ("vampprior", "mixture")):
        trainer, seconds = trained(data, family, preset, epochs=EPOCHS)
        assert trainer.held_out is not None
        name = family if preset == "default" else preset
        for key in ("elbo", "kl"):
            figures[f"{name}_{key}"] = Figure(trainer.held_out.values[key])
        figures[f"{name}_seconds"] = Figure(seconds)
    return figures
