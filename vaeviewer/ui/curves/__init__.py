"""The curves of the metrics over training."""
