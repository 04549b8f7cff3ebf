"""What opening data found: counts, what was skipped and why, and what was decided about it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Skipped(BaseModel):
    """A file that was meant to be an image and is not used.

    Attributes:
        file: Relative to the folder that was opened, in readable letters.
        why: A few words that follow the file's name.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)

    file: str
    why: str


class LoadReport(BaseModel):
    """All there is to say about data that were opened.

    Attributes:
        images: Images that can be used, both those trained on and those held out.
        held_out: How many of them are held out.
        height: Of each, pixels.
        width: Of each, pixels.
        channels: 1 (grey) or 3 (colour).
        classes: Images of each class by its name; empty where the data have no labels.
        skipped: Files that were meant to be images and are not used.
        passed_over: Files and folders that are no images: hidden ones, notes, thumbnails' lists.
        notes: Sentences on what was recognised and decided.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)

    images: int
    held_out: int
    height: int
    width: int
    channels: int
    classes: dict[str, int] = {}
    skipped: tuple[Skipped, ...] = ()
    passed_over: int = 0
    notes: tuple[str, ...] = ()

    @property
    def memory(self) -> int:
        """Bytes that all images take as they are held, one for each value."""
        return self.images * self.height * self.width * self.channels

    def as_json(self) -> dict[str, Any]:
        """Plain values under the names of the attributes, as ``vaeviewer inspect --json`` prints them."""
        return self.model_dump(mode="json")
