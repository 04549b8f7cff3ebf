"""An autoencoder whose decoder sees sines and cosines of z."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import Autoencoder
from vaeviewer.backend.models.likelihoods import Likelihood
from vaeviewer.backend.models.networks.choice import generative_network
from vaeviewer.backend.models.networks.waves import Waves


class WaveAutoencoder(Autoencoder):
    """A VAE's networks, but for what the decoder sees. ``numpy_mlp.WavesForm`` computes the same.

    Args:
        config: Which networks, and the latent dimension.
        image: Size of the images.
        likelihood: What the generative network's outputs mean.
        waves: What it sees of z.
    """

    def __init__(self, config: ImageNetworks, image: ImageSpec, likelihood: Likelihood, waves: Waves) -> None:
        super().__init__(config, image, likelihood, gaussian=True)
        self.waves = waves
        self.decoder = generative_network(config, image, waves.outputs)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z), pixels independent given z."""
        return super().decode(self.waves(z), y)
