"""Disks that can lose their power, and disks that are small. Linux, as root. Read next: power_cut.py."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: what was not synced is gone, as with the power


class PowerCutDisk:
    """An ext4 file system in a file. ``cut`` fails every later write and loses all that was not synced."""

    def __init__(self, mebibytes: int = 64) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="power-cut-"))
        self._image = self._home / "image"
        self.directory = self._home / "mounted"
        self.directory.mkdir()
        with self._image.open("wb") as image:
            image.truncate(mebibytes << 20)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self._mount()

    def cut(self) -> None:
        """Take the power away."""
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING))
        finally:
            os.close(handle)

    def back(self) -> None:
        """Give the power back; whoever had files open there must be gone."""
        _run("umount", self.directory)
        self._mount()

    def close(self) -> None:
        """Unmount and delete it."""
        with suppress(subprocess.CalledProcessError):
            _run("umount", self.directory)
        shutil.rmtree(self._home, ignore_errors=True)

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.directory)


@contextmanager
def power_cut_disk() -> Iterator[PowerCutDisk]:
    """A disk for the block."""
    disk = PowerCutDisk()
    try:
        yield disk
    finally:
        disk.close()


@contextmanager
def small_disk(kibibytes: int) -> Iterator[Path]:
    """A directory that holds no more than that."""
    directory = Path(tempfile.mkdtemp(prefix="small-disk-"))
    _run("mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", directory)
    try:
        yield directory
    finally:
        _run("umount", "-l", directory)
        directory.rmdir()


def make_read_only(directory: Path) -> None:
    """Let nobody write to the disk mounted there."""
    _run("mount", "-o", "remount,ro", directory)


def can_mount() -> bool:
    """Whether this user may mount file systems here, loop devices included."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return False
    try:
        PowerCutDisk(4).close()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
