"""The main window: docks, menus, messages, keys."""
