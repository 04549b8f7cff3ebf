"""Widgets. Everything they draw is a function of the current Snapshot, the data set and the ViewState."""
