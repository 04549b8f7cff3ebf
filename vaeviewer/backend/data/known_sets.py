"""Data sets in idx files that are known by their names: the classes they have, and how their files are called."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

_DIGITS = tuple(string.digits)
_UPPER, _LOWER = tuple(string.ascii_uppercase), tuple(string.ascii_lowercase)


@dataclass(frozen=True)
class Naming:
    """How a data set calls its four idx files.

    Attributes:
        title: Of the data set, or empty where several call their files so.
        files: Images and labels to train on, then those held out; without ``.gz``.
        class_names: A name per class, or none where other things must say it.
        first_label: The label of the first class.
        transposed: Whether its images are stored with rows and columns swapped.
    """

    title: str
    files: tuple[str, str, str, str]
    class_names: tuple[str, ...] = ()
    first_label: int = 0
    transposed: bool = False


@dataclass(frozen=True)
class KnownSet:
    """A data set whose classes have names.

    Attributes:
        title: What a user sees.
        subfolder: How torchvision calls its folder; the files lie in ``raw`` below it.
        class_names: A name per class, equal to torchvision's (for digits, without the word behind each).
        naming: How its files are called.
    """

    title: str
    subfolder: str
    class_names: tuple[str, ...]
    naming: Naming


def _files(prefix: str, held_out: str, labels: str = "idx1-ubyte") -> tuple[str, str, str, str]:
    return (
        f"{prefix}train-images-idx3-ubyte",
        f"{prefix}train-labels-{labels}",
        f"{prefix}{held_out}-images-idx3-ubyte",
        f"{prefix}{held_out}-labels-{labels}",
    )


# Of the letters that look alike in both cases EMNIST merges the small into the capital ones.
_MERGED = (*_DIGITS, *_UPPER, *"abdefghnqrt")
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

EMNIST_SPLITS = {
    "byclass": (*_DIGITS, *_UPPER, *_LOWER),
    "bymerge": _MERGED,
    "balanced": _MERGED,
    "letters": _LOWER,
    "digits": _DIGITS,
    "mnist": _DIGITS,
}
"""The ways to cut EMNIST, with the classes of each (Cohen et al. 2017)."""

MNIST_NAMING = Naming("", _files("", "t10k"))
_QMNIST_NAMING = Naming("QMNIST", _files("qmnist-", "test", "idx2-int"), _DIGITS)
_EMNIST_NAMINGS = {
    split: Naming(
        f"EMNIST {split}",
        _files(f"emnist-{split}-", "test"),
        names,
        first_label=int(split == "letters"),
        transposed=True,
    )
    for split, names in EMNIST_SPLITS.items()
}
NAMINGS = (MNIST_NAMING, _QMNIST_NAMING, *_EMNIST_NAMINGS.values())
"""How known data sets call their files. MNIST, Fashion-MNIST and KMNIST call them alike."""

# Held here rather than asked of torchvision, as importing it takes seconds and loads torch.
KNOWN_SETS = {
    "mnist": KnownSet("MNIST", "MNIST", _DIGITS, MNIST_NAMING),
    "fashion-mnist": KnownSet("Fashion-MNIST", "FashionMNIST", _FASHION, MNIST_NAMING),
    "kmnist": KnownSet(
        "KMNIST", "KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), MNIST_NAMING
    ),
    "qmnist": KnownSet("QMNIST", "QMNIST", _DIGITS, _QMNIST_NAMING),
    **{
        f"emnist-{split}": KnownSet(naming.title, "EMNIST", naming.class_names, naming)
        for split, naming in _EMNIST_NAMINGS.items()
    },
}
"""Data sets in idx files, by their keys in the catalogue."""


def known_by_folder(name: str) -> KnownSet | None:
    """The data set that lies in a folder of this name, however it is spelled, of those whose files do not say it."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return next(
        (
            known
            for known in KNOWN_SETS.values()
            if known.naming is MNIST_NAMING and known.subfolder.lower() == plain
        ),
        None,
    )
