"""vaeviewer: a desktop explorer for the latent spaces of variational autoencoders."""

__version__ = "0.1.0"
