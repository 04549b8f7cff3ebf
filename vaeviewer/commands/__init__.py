"""The commands that need no window, a file each. They never import Qt."""
