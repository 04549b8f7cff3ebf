"""One training run behind a window: its states, its thread, its mailbox. QtCore only, no widgets."""
