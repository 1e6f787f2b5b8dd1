"""Files are written whole or not at all."""

from __future__ import annotations

import pytest

from resnet_widgets.files import replacing


def test_it_replaces_what_was_there(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with replacing(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_all_is_as_before(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path):
    path = tmp_path / f"{'猫' * 80}.png"
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_everybody_may_read_it(tmp_path):
    with (tmp_path / "plain").open("wb"):
        pass
    with replacing(tmp_path / "a.bin"):
        pass
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("path", [None, 3, ""])
def test_what_is_no_path(path):
    with (
        pytest.raises(TypeError, match="`path` must be the name of a file.*Received"),
        replacing(path),
    ):
        pass


def test_folders(tmp_path):
    with pytest.raises(IsADirectoryError, match="this is a folder"), replacing(tmp_path):
        pass
    missing = tmp_path / "none" / "a.bin"
    with pytest.raises(FileNotFoundError, match="Make it first"), replacing(missing):
        pass
    assert list(tmp_path.iterdir()) == []
