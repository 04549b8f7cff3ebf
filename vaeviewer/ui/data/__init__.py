"""Opening images: the sheet on which they are looked at before a model trains on them, dialogs and drops."""
