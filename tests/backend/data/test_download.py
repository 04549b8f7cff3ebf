import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import download_server
import pytest
from download_server import Server, serving

from vaeviewer import paths
from vaeviewer.backend.data import download
from vaeviewer.backend.data.download import Cancelled, fetch, remote
from vaeviewer.backend.data.folder import KNOWN_SETS
from vaeviewer.errors import DataError

CONTENT = {
    "train-images-idx3-ubyte.gz": bytes(range(256)) * 400,
    "train-labels-idx1-ubyte.gz": b"train labels" * 10,
    "t10k-images-idx3-ubyte.gz": b"held-out images" * 2_000,
    "t10k-labels-idx1-ubyte.gz": b"held-out labels" * 10,
}
TOTAL = sum(map(len, CONTENT.values()))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch, CONTENT) as server:
        yield server


def use_mirrors(monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    download_server.use_mirrors(monkeypatch, CONTENT, *mirrors)


def folder(key: str = "mnist") -> Path:
    return paths.data_dir() / KNOWN_SETS[key].subfolder / "raw"


def present(key: str = "mnist") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder(key).iterdir()}


def refusal(**options) -> str:
    with pytest.raises(DataError) as error:
        fetch("mnist", **options)
    text = str(error.value)
    assert text.startswith("MNIST c")
    assert text.endswith(".")
    assert "; " in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("key", ["mnist", "fashion-mnist"])
def test_everything_is_fetched(server: Server, key: str, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int]] = []
    root = fetch(key, progress=lambda done, total: seen.append((done, total)))
    assert root == paths.data_dir()
    assert present(key) == CONTENT  # and no temporary file is left
    assert {total for _, total in seen} == {TOTAL}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 10
    assert seen[-1] == (TOTAL, TOTAL)
    assert capfd.readouterr() == ("", "")


def test_what_is_there_is_not_fetched_again(server: Server) -> None:
    fetch("mnist")
    server.asked.clear()
    seen: list[tuple[int, int]] = []
    fetch("mnist", progress=lambda done, total: seen.append((done, total)))
    assert server.asked == []
    assert seen == [(TOTAL, TOTAL)]


def test_damaged_and_missing_files_are_fetched_again(server: Server) -> None:
    fetch("mnist")
    server.asked.clear()
    names = list(CONTENT)
    (folder() / names[1]).write_bytes(b"damaged")
    (folder() / names[3]).unlink()
    fetch("mnist")
    assert server.asked == [names[1], names[3]]
    assert present() == CONTENT


def test_wrong_checksum(server: Server) -> None:
    name = "train-labels-idx1-ubyte.gz"
    server.content[name] = b"something else"
    assert f"({name} arrived damaged)" in refusal()
    assert list(present()) == ["train-images-idx3-ubyte.gz"]


def test_the_next_mirror_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mirrors(monkeypatch, server.address + "gone/", server.address + "here/")
    fetch("mnist")
    assert present() == CONTENT


def test_not_there(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mirrors(monkeypatch, server.address + "gone/", server.address + "gone/")
    assert "(the server answered 404)" in refusal()


def test_cut_off(server: Server) -> None:
    server.cut = True
    assert "(the connection broke off)" in refusal()
    assert present() == {}


def test_far_too_much_data(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_DOWNLOAD_BYTES", 50_000)
    assert "arrived damaged" in refusal()
    assert present() == {}


def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(CONTENT) as closed:
        address = closed.address
    use_mirrors(monkeypatch, address, address)
    assert refusal() == (
        "MNIST could not be fetched (no connection); "
        "choose the bundled digits, or a folder that holds the files."
    )


def test_a_silent_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    server.stall = True
    started = time.monotonic()
    assert "(the server did not answer in time)" in refusal()
    assert time.monotonic() - started < 5
    assert present() == {}


def test_cancel_in_the_middle(server: Server) -> None:
    reached: list[int] = []
    with pytest.raises(Cancelled, match=r"^Fetching MNIST was cancelled\.$"):
        fetch(
            "mnist",
            progress=lambda done, total: reached.append(done),
            cancelled=lambda: bool(reached) and reached[-1] > 50_000,
        )
    assert 50_000 < reached[-1] < 70_000
    assert present() == {}
    fetch("mnist")
    assert present() == CONTENT


def test_cancel_while_the_server_is_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    server.stall = True
    stop = threading.Event()
    with pytest.raises(Cancelled):
        fetch("mnist", progress=lambda done, total: stop.set(), cancelled=stop.is_set)


def test_cancel_before_the_start(server: Server) -> None:
    with pytest.raises(Cancelled):
        fetch("mnist", cancelled=lambda: True)
    assert server.asked == []


def test_a_place_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path / "file"))
    assert "cannot be kept in" in refusal()


def test_torchvision_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(DataError, match=r"Fashion-MNIST cannot be fetched, as torchvision does not load \("):
        fetch("fashion-mnist")


@pytest.mark.parametrize("key", list(KNOWN_SETS))
def test_our_constants_are_those_of_torchvision(key: str) -> None:
    from torchvision import datasets

    theirs = getattr(datasets, KNOWN_SETS[key].subfolder)
    assert list(KNOWN_SETS[key].class_names) == [name.split(" - ")[0] for name in theirs.classes]
    source = remote(key)
    assert [name for name, _ in source.files] == list(CONTENT)
    assert all(len(md5) == 32 for _, md5 in source.files)
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)
