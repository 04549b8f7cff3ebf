"""A container's quota of processor time is read from its control groups, of either version."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaeviewer.backend.training import device
from vaeviewer.backend.training.cpu_quota import cpu_quota
from vaeviewer.native.cores import available_cores


def tree(folder: Path, groups: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A ``/proc/self/cgroup`` and a mount as the system writes them."""
    (folder / "cgroup").write_text(groups)
    for name, text in files.items():
        path = folder / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "cgroup", folder / "mounted"


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),  # within a container
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000\n", "a/cpu.max": "300000 100000\n"}, 0.5),
        ("0::/docker/x\n", {"cpu.max": "200000 100000\n"}, 2.0),  # the mount begins at the group
        (
            "4:memory:/m\n3:cpu,cpuacct:/a\n0::/\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
            2.5,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/../other\n", {"cpu.max": "100000 100000\n"}, 1.0),
        ("nonsense", {}, None),
        ("0::/\n", {"cpu.max": "garbage\n"}, None),
        ("0::/\n", {"cpu.max": "100000 0\n"}, None),
    ],
)
def test_the_smallest_limit_counts(
    tmp_path: Path, groups: str, files: dict[str, str], quota: float | None
) -> None:
    assert cpu_quota(*tree(tmp_path, groups, files)) == quota


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(("quota", "threads"), [(0.5, 1), (1.5, 1), (1e6, None), (None, None)])
def test_training_takes_no_more_threads_than_its_quota_feeds(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: int | None
) -> None:
    monkeypatch.setattr(device, "cpu_quota", lambda: quota)
    assert device.default_threads() == (threads or available_cores())
