"""Where the data sets of the catalogue are fetched from, with the checksums of their files.

All of it is torchvision's, which a test compares. Only CIFAR-10 is another version of it: torchvision names the pickled
one, which would run code, so this is the binary one of the same page, https://www.cs.toronto.edu/~kriz/cifar.html, with
the checksum that stands there.
"""

from __future__ import annotations

from dataclasses import dataclass

from vaeviewer.backend.data.known_sets import EMNIST_SPLITS, KNOWN_SETS


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Attributes:
        name: What it is called here.
        md5: Its checksum, 32 hexadecimal digits.
        size: Bytes, roughly: for the progress bar until the server says it.
        addresses: Where it is, the preferred address first.
    """

    name: str
    md5: str
    size: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Remote:
    """The files of a data set.

    Attributes:
        folder: Where they lie below the data folder.
        files: What is fetched; one archive where ``members`` are given.
        members: What is taken out of the archive.
        keeps_archive: Whether the archive stays for the other data sets in it.
    """

    folder: str
    files: tuple[RemoteFile, ...]
    members: tuple[str, ...] = ()
    keeps_archive: bool = False


def _beside(mirrors: tuple[str, ...], *files: tuple[str, str, int]) -> tuple[RemoteFile, ...]:
    """Files that lie side by side on each mirror: name, checksum, size."""
    return tuple(
        RemoteFile(name, md5, size, tuple(mirror + name for mirror in mirrors)) for name, md5, size in files
    )


_MNIST = _beside(
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
    ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
    ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
    ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
)
_FASHION = _beside(
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
    ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
    ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
    ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
)
_KMNIST = _beside(
    ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7", 18_165_135),
    ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344", 29_497),
    ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7", 3_041_136),
    ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134", 5_120),
)
_QMNIST = _beside(
    ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370", 9_700_000),
    ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4", 460_000),
    ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412", 9_700_000),
    ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa", 530_000),
)
_USPS = _beside(
    ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/",),
    ("usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197", 6_500_000),
    ("usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118", 1_800_000),
)
_EMNIST = _beside(
    ("https://biometrics.nist.gov/cs_links/EMNIST/",),
    ("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e", 561_753_746),
)
_CIFAR10 = _beside(
    ("https://www.cs.toronto.edu/~kriz/",),
    ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171),
)


def _emnist(split: str) -> Remote:
    names = KNOWN_SETS[f"emnist-{split}"].naming.files
    return Remote("EMNIST/raw", _EMNIST, tuple(f"{name}.gz" for name in names), keeps_archive=True)


REMOTES = {
    "mnist": Remote("MNIST/raw", _MNIST),
    "fashion-mnist": Remote("FashionMNIST/raw", _FASHION),
    "kmnist": Remote("KMNIST/raw", _KMNIST),
    "qmnist": Remote("QMNIST/raw", _QMNIST),
    "usps": Remote("USPS", _USPS),
    "cifar-10": Remote(
        "cifar-10-batches-bin",
        _CIFAR10,
        (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "batches.meta.txt"),
    ),
    **{f"emnist-{split}": _emnist(split) for split in EMNIST_SPLITS},
}
"""By key of the catalogue; the folders are torchvision's."""
