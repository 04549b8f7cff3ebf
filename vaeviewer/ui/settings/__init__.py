"""Editing settings: the form, the live fields, the training controls."""
