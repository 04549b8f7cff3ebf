"""All images together: the terms of the KL, where codes lie, how well classes stand apart."""
