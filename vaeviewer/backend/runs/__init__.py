"""Run folders: what they hold, saving them while they train, opening them again."""
