"""What is said and offered about runs: status, recent ones, recovery."""
