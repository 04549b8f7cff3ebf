"""The catalogue: data sets that are offered by name."""

from __future__ import annotations

from dataclasses import dataclass

from vaeviewer.backend.data.known_sets import KNOWN_SETS

BUNDLED = "mnist-10k"
"""The one that comes with the program: where nothing was named, and where what was named is not to be had."""

HANDWRITING = "Digits and letters"


@dataclass(frozen=True)
class CatalogEntry:
    """One choice in the list of data sets.

    Attributes:
        key: What settings, run folders and the command line call it.
        title: What a user sees.
        note: One sentence about it.
        group: The submenu it stands in, or empty for the menu itself.
    """

    key: str
    title: str
    note: str
    group: str = ""


def _emnist(split: str, what: str) -> CatalogEntry:
    title = KNOWN_SETS[f"emnist-{split}"].title
    return CatalogEntry(
        f"emnist-{split}", title, f"{what}; fetches all of EMNIST once (562 MB).", group=HANDWRITING
    )


CATALOG: tuple[CatalogEntry, ...] = (
    CatalogEntry(BUNDLED, "MNIST 10k", "10,000 handwritten digits that come with the program."),
    CatalogEntry("mnist", "MNIST", "70,000 handwritten digits, fetched once (12 MB)."),
    CatalogEntry("fashion-mnist", "Fashion-MNIST", "70,000 pieces of clothing, fetched once (31 MB)."),
    CatalogEntry("cifar-10", "CIFAR-10", "60,000 colour photographs in 10 classes, fetched once (170 MB)."),
    CatalogEntry(
        "kmnist", "KMNIST", "70,000 cursive Japanese characters, fetched once (21 MB).", group=HANDWRITING
    ),
    CatalogEntry(
        "qmnist",
        "QMNIST",
        "MNIST with all 60,000 held-out digits, fetched once (20 MB).",
        group=HANDWRITING,
    ),
    CatalogEntry(
        "usps", "USPS", "9,298 digits from envelopes, 16×16 pixels, fetched once (8 MB).", group=HANDWRITING
    ),
    _emnist("balanced", "131,600 digits and letters in 47 classes of one size"),
    _emnist("letters", "145,600 letters in 26 classes, capital and small ones together"),
    _emnist("digits", "280,000 digits in 10 classes"),
    _emnist("mnist", "70,000 digits, cut as MNIST is"),
    _emnist("byclass", "814,255 digits and letters in 62 classes"),
    _emnist("bymerge", "814,255 digits and letters in 47 classes, letters of one shape together"),
    CatalogEntry("folder", "Folder…", "Your own images: a folder of pictures, a NumPy file, or idx files."),
)

NOT_OFFERED = {
    "svhn": "SVHN comes as MATLAB files, which need SciPy to be read; save its images and labels with NumPy as an "
    ".npz file and open that.",
}
"""Why a data set that one may expect is not there."""


def title_of(key: str) -> str:
    """What a user calls a data set of the catalogue; the key itself where there is none."""
    return next((entry.title for entry in CATALOG if entry.key == key), key)
