import os

import pytest

from accelsim.errors import AccelsimError
from accelsim.report.files import check_writable, write_file


def test_a_file_is_written_whole_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    check_writable(path)
    assert list(tmp_path.iterdir()) == []
    write_file(path, b"one")
    write_file(path, b"two")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.txt", b"two")]


def test_the_old_file_survives_a_disk_that_fills_up(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AccelsimError, match="No space left on device"):
        write_file(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.txt", b"old")]


def test_a_link_stays_a_link_and_a_mode_stays_a_mode(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_file(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_new_file_follows_the_umask(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_file(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_device_is_written_to_and_not_replaced():
    check_writable("/dev/null")
    write_file("/dev/null", b"x")
    assert not os.path.isfile("/dev/null")  # noqa: PTH113 - the very question


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "folder"), ("no/such/x", "there is no folder"), ("a\0b", "name of a file")],
)
def test_what_cannot_be_a_file_is_refused(tmp_path, monkeypatch, name, reason):
    monkeypatch.chdir(tmp_path)
    for ask in (check_writable, lambda path: write_file(path, b"")):
        with pytest.raises(AccelsimError, match=reason):
            ask(name)
