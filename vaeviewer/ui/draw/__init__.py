"""Images of the user's own, drawn by hand."""
