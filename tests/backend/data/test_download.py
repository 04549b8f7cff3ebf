import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import download_server
import pytest
from download_server import Server, serving

from vaeviewer import paths
from vaeviewer.backend.data import download, transfer
from vaeviewer.backend.data.base import Cancelled
from vaeviewer.backend.data.catalog import CATALOG
from vaeviewer.backend.data.download import fetch
from vaeviewer.backend.data.known_sets import EMNIST_SPLITS, KNOWN_SETS
from vaeviewer.backend.data.remotes import REMOTES
from vaeviewer.errors import DataError, FetchError

CONTENT = {
    "train-images-idx3-ubyte.gz": bytes(range(256)) * 400,
    "train-labels-idx1-ubyte.gz": b"train labels" * 10,
    "t10k-images-idx3-ubyte.gz": b"held-out images" * 2_000,
    "t10k-labels-idx1-ubyte.gz": b"held-out labels" * 10,
}
FIRST, LABELS, *_ = CONTENT
TOTAL = sum(map(len, CONTENT.values()))
HALF = len(CONTENT[FIRST]) // 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE_S", 0.05)
    with serving(monkeypatch, CONTENT) as server:
        yield server


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_S", 0.3)


def use_mirrors(monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    download_server.use_mirrors(monkeypatch, CONTENT, *mirrors)


def folder(key: str = "mnist") -> Path:
    return paths.data_dir() / REMOTES[key].folder


def present(key: str = "mnist") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder(key).iterdir()} if folder(key).is_dir() else {}


def refusal(**options) -> str:
    with pytest.raises(FetchError) as error:
        fetch("mnist", **options)
    text = str(error.value)
    assert text.startswith("MNIST could not be fetched (")
    assert text.endswith("); open a folder that holds it instead, or try again later.")
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
    assert len(seen) > 5
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


def test_a_wrong_file_is_removed(server: Server) -> None:
    server.content[LABELS] = b"something else"
    assert f"({LABELS} arrived damaged)" in refusal()
    assert list(present()) == [FIRST]
    assert server.asked == [FIRST, LABELS], "asking again would give the same"


def test_the_next_mirror_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mirrors(monkeypatch, server.address + "gone/", server.address + "here/")
    fetch("mnist")
    assert present() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses(server: Server, status: int) -> None:
    server.status = status
    assert f"(the server answered {status})" in refusal()
    assert server.asked == [FIRST]
    assert present() == {}


def test_a_file_that_ends_early_goes_on_from_there(server: Server) -> None:
    server.cuts = 2
    fetch("mnist")
    assert present() == CONTENT
    assert server.starts[:3] == [0, HALF, HALF + HALF // 2]


def test_a_server_that_gives_only_whole_files(server: Server) -> None:
    server.cuts, server.ranges = 2, False
    fetch("mnist")
    assert present() == CONTENT
    assert server.starts[:3] == [0, 0, 0]


def test_a_server_that_always_breaks_off_and_comes_back_later(server: Server) -> None:
    server.cuts = 99
    assert "(the connection broke off)" in refusal()
    assert len(server.asked) == download.TRIES
    assert list(present()) == [f"{FIRST}.part"]
    server.cuts = 0
    server.starts.clear()
    fetch("mnist")
    assert server.starts[0] > HALF, "what came is not fetched again"
    assert present() == CONTENT


def test_a_part_of_another_file_is_fetched_anew(server: Server) -> None:
    folder().mkdir(parents=True)
    (folder() / f"{FIRST}.part").write_bytes(b"of an older version")
    (folder() / f"{LABELS}.part").write_bytes(b"longer than it is" * 99)
    fetch("mnist")
    assert present() == CONTENT


def test_far_too_much_data(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_DOWNLOAD_BYTES", 50_000)
    assert "it goes on for ever" in refusal()
    assert set(present()) <= {f"{FIRST}.part"}
    assert sum(map(len, present().values())) == 0


def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(CONTENT) as closed:
        address = closed.address
    use_mirrors(monkeypatch, address, address)
    assert refusal() == (
        "MNIST could not be fetched (no connection); open a folder that holds it instead, or try again later."
    )


@pytest.mark.slow
@pytest.mark.usefixtures("short_patience")
def test_a_server_that_falls_silent_in_the_middle(server: Server) -> None:
    server.stall = True
    started = time.monotonic()
    assert "(the server did not answer in time)" in refusal()
    assert time.monotonic() - started < 5
    assert list(present()) == [f"{FIRST}.part"]
    server.stall = False
    server.released.set()
    fetch("mnist")
    assert present() == CONTENT


@pytest.mark.usefixtures("short_patience")
def test_a_server_that_is_silent_from_the_start(server: Server) -> None:
    server.silent = True
    assert "(the server did not answer in time)" in refusal()
    assert present() == {}


def test_cancel_in_the_middle(server: Server) -> None:
    reached: list[int] = []
    with pytest.raises(Cancelled, match=r"^Fetching MNIST was cancelled\.$"):
        fetch(
            "mnist",
            progress=lambda done, total: reached.append(done),
            cancelled=lambda: bool(reached) and reached[-1] > 50_000,
        )
    assert reached[-1] > 50_000
    assert list(present()) == [f"{FIRST}.part"]
    fetch("mnist")
    assert present() == CONTENT


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stall", "silent"])
def test_cancel_while_the_server_is_silent_takes_a_moment(server: Server, way: str) -> None:
    setattr(server, way, True)
    stop = threading.Event()
    ended: list[float] = []

    def run() -> None:
        with pytest.raises(Cancelled):
            fetch("mnist", cancelled=stop.is_set)
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: server.asked)
    told = time.monotonic()
    stop.set()
    thread.join(10)
    assert ended[0] - told < 5.0
    before = present()
    server.released.set()
    time.sleep(0.2)
    assert present() == before, "nothing is written any more"


def test_cancel_before_the_start(server: Server) -> None:
    with pytest.raises(Cancelled):
        fetch("mnist", cancelled=lambda: True)
    assert server.asked == []


@pytest.mark.slow
def test_two_at_once_fetch_it_once(server: Server) -> None:
    server.stall = True
    threads = [threading.Thread(target=fetch, args=("mnist",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: server.asked)
    time.sleep(0.3)
    assert server.asked == [FIRST]
    server.stall = False
    server.released.set()
    for thread in threads:
        thread.join(10)
    assert server.asked == list(CONTENT)
    assert present() == CONTENT


def test_a_place_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be kept in"):
        fetch("mnist")


def test_all_that_can_be_fetched_has_an_address() -> None:
    assert set(REMOTES) == {entry.key for entry in CATALOG if "fetch" in entry.note}
    for remote in REMOTES.values():
        assert all(len(file.md5) == 32 for file in remote.files)
        assert all(address.startswith("http") for file in remote.files for address in file.addresses)


def facts(key: str) -> list[tuple[tuple[str, ...], str]]:
    """Addresses and checksum of each file."""
    return [(file.addresses, file.md5) for file in REMOTES[key].files]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["mnist", "fashion-mnist", "kmnist"])
def test_our_constants_are_those_of_torchvision(key: str) -> None:
    from torchvision import datasets

    theirs = getattr(datasets, KNOWN_SETS[key].subfolder)
    assert list(KNOWN_SETS[key].class_names) == [name.split(" - ")[0] for name in theirs.classes]
    assert facts(key) == [
        (tuple(mirror + name for mirror in theirs.mirrors), md5) for name, md5 in theirs.resources
    ]
    assert [name for name, _ in theirs.resources] == [f"{name}.gz" for name in KNOWN_SETS[key].naming.files]


@pytest.mark.slow
def test_our_constants_of_other_forms_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR10, EMNIST, QMNIST, USPS

    theirs = QMNIST.resources["train"] + QMNIST.resources["test"]
    assert facts("qmnist") == [((address,), md5) for address, md5 in theirs]
    assert facts("usps") == [((address,), md5) for address, _, md5 in USPS.split_list.values()]
    assert list(EMNIST.splits) == list(EMNIST_SPLITS)
    for split, names in EMNIST_SPLITS.items():
        assert facts(f"emnist-{split}") == [((EMNIST.url,), EMNIST.md5)]
        assert list(names) == [name for name in EMNIST.classes_split_dict[split] if name != "N/A"]
    # The binary version lies beside the pickled one that torchvision fetches.
    ((address,), md5), *_ = facts("cifar-10")
    assert address == CIFAR10.url.replace("python", "binary")
    assert md5 != CIFAR10.tgz_md5
