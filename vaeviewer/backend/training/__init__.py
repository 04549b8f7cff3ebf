"""Training: the trainer, its loop, and the engines that compute its steps."""
