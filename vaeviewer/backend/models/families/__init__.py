"""Every kind of model, a file each; the registry finds them here."""
