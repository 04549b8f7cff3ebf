"""Widgets, colours and styles that all panels share."""
