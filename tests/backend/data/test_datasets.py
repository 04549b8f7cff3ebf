import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vaeviewer.backend.data import DataSource, ImageDataset, download, load_dataset, load_source, opening
from vaeviewer.backend.data.base import checksum_of
from vaeviewer.errors import DataError


def fake(key: str, path: str | None) -> ImageDataset:
    images, labels = np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.int64)
    return ImageDataset("fake", DataSource(key=key, path=path), images, labels, images, labels, ("0",))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was fetched and read from a folder, with neither happening."""
    made: list[tuple[str, str]] = []

    def fetch(key: str, **_: object) -> Path:
        made.append(("fetch", key))
        return Path("/fetched")

    def open_known(path: Path | str, key: str, *_: object, **__: object) -> ImageDataset:
        made.append((Path(path).as_posix(), key))
        return fake(key, str(path))

    monkeypatch.setattr(download, "fetch", fetch)
    monkeypatch.setattr(opening, "open_known", open_known)
    monkeypatch.setattr(opening, "open_images", lambda path, *_, **__: open_known(path, "folder"))
    return made


def test_bundled_is_the_default() -> None:
    assert load_dataset().source.key == "mnist-10k"


def test_refusals() -> None:
    with pytest.raises(
        DataError, match=r"'cifar'; choose one of mnist-10k, mnist, fashion-mnist, .*, folder"
    ):
        load_dataset("cifar")
    with pytest.raises(DataError, match=r"mnist-10k is bundled and not read from /there; choose .* folder"):
        load_dataset("mnist-10k", "/there")
    with pytest.raises(DataError, match="No folder was named"):
        load_dataset("folder")


@pytest.mark.parametrize(("key", "place"), [("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw")])
def test_fetched_sets_have_no_path(calls: list[tuple[str, str]], key: str, place: str) -> None:
    data = load_dataset(key)
    assert calls == [("fetch", key), (f"/fetched/{place}", key)]
    assert data.source.path is None


@pytest.mark.parametrize("key", ["mnist", "fashion-mnist", "folder"])
def test_a_folder_replaces_fetching(calls: list[tuple[str, str]], key: str) -> None:
    data = load_dataset(key, "/there")
    assert calls == [("/there", key)]
    assert data.source.path is not None


@pytest.mark.parametrize(
    ("source", "folder", "expected"),
    [
        (DataSource(key="mnist"), None, [("fetch", "mnist"), ("/fetched/MNIST/raw", "mnist")]),
        (DataSource(key="mnist"), "/new", [("/new", "mnist")]),
        (DataSource(key="mnist", path="/old"), None, [("/old", "mnist")]),
        (DataSource(key="folder", path="/old"), None, [("/old", "folder")]),
        (DataSource(key="folder", path="/old"), "/new", [("/new", "folder")]),
        (DataSource(key="mnist-10k"), None, []),
        (DataSource(key="mnist-10k"), "/new", [("/new", "folder")]),
    ],
)
def test_finding_again(
    calls: list[tuple[str, str]], source: DataSource, folder: str | None, expected: list[tuple[str, str]]
) -> None:
    load_source(source, folder)
    assert calls == expected


def test_another_checksum_is_left_to_the_caller() -> None:
    source = DataSource(key="mnist-10k", checksum="0" * 64)
    assert load_source(source).source.checksum == load_dataset().source.checksum != source.checksum


def test_checksum_is_the_same_for_every_memory_layout() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    labels = np.array([1, 2], dtype=np.int64)
    expected = checksum_of(images, labels)
    assert checksum_of(np.asfortranarray(images), labels.astype(">i8")) == expected
    assert checksum_of(images.reshape(2, 4, 3), labels) != expected


@pytest.mark.slow
def test_the_window_starts_without_what_opens_and_fetches_files() -> None:
    code = (
        "import sys, vaeviewer.app\n"
        "print([m for m in ('opening', 'download', 'cache') if f'vaeviewer.backend.data.{m}' in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, vaeviewer.backend.data\n"
        "print([m for m in ('torch', 'torchvision', 'requests', 'PySide6', 'PIL') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
