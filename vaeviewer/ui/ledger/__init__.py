"""The ledger: a table of all images with their numbers."""
