"""The latent plane: points, handle, legend, and the kernels that paint it."""
