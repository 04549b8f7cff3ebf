"""Numbers and pictures computed from a Snapshot. Never Qt."""
