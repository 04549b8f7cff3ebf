"""Panels of images: decoded, reconstructions, the manifold."""
