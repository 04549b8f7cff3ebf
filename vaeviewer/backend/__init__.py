"""Training, models, data and files. Knows torch and NumPy, never Qt."""
