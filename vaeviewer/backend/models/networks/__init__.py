"""Networks that any family may use."""
