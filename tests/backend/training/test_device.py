"""Devices are probed, not believed."""

from __future__ import annotations

import pytest
import torch

from vaeviewer.backend.training import device
from vaeviewer.errors import SettingsError
from vaeviewer.native.cores import available_cores


def test_the_processor_computes() -> None:
    assert device.computes("cpu")
    assert device.resolve_device("cpu") == torch.device("cpu")


def test_auto_takes_something_that_computes() -> None:
    assert device.computes(device.resolve_device("auto").type)


def test_what_is_not_there_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="no cuda; use auto or cpu"):
        device.resolve_device("cuda")


def test_available_but_broken_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that claims a card whose kernels fail: the probe finds out."""
    if torch.cuda.is_available():
        pytest.skip("this machine's CUDA works")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.resolve_device("auto").type in ("mps", "cpu")
    with pytest.raises(SettingsError, match="fails to compute"):
        device.resolve_device("cuda")


def test_threads() -> None:
    before = torch.get_num_threads()
    try:
        assert device.use_threads(1) == 1
        assert torch.get_num_threads() == 1
        assert device.use_threads(0) == available_cores()
    finally:
        torch.set_num_threads(before)
