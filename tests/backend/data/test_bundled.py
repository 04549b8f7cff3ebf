import hashlib

import numpy as np

from vaeviewer import paths
from vaeviewer.backend.data.bundled import load_bundled

COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]


def test_all_digits_are_there() -> None:
    data = load_bundled()
    assert data.name == "MNIST, 10,000 bundled digits"
    assert data.train_images.shape == (9_000, 28, 28)
    assert data.held_out_images.shape == (1_000, 28, 28)
    assert data.train_images.dtype == data.held_out_images.dtype == np.uint8
    assert data.train_labels.dtype == data.held_out_labels.dtype == np.int64
    together = np.concatenate([data.train_labels, data.held_out_labels])
    assert np.bincount(together).tolist() == COUNTS
    assert data.class_names == tuple("0123456789")
    assert data.source.path is None


def test_the_split_is_stratified() -> None:
    held_out = np.bincount(load_bundled().held_out_labels)
    assert np.all(np.abs(held_out - np.array(COUNTS) / 10) < 1)


def test_the_split_never_changes() -> None:
    # Old runs are compared with this: another split would show images as held out that were trained on.
    checksum = "3bad7c3c40a347847ceb56f47c9cdd913f22802456cfc8614f52f19a34b5eff5"
    assert load_bundled().source.checksum == checksum


def test_classes_are_mixed() -> None:
    counts = np.bincount(load_bundled().train_labels[:1_000], minlength=10)
    assert counts.min() > 50


def test_the_note_has_the_right_checksums() -> None:
    note = paths.resource("mnist-10k", "README.md").read_text(encoding="utf-8")
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        digest = hashlib.sha256(paths.resource("mnist-10k", name).read_bytes()).hexdigest()
        assert f"{digest}  {name}" in note
