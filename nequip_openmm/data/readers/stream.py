"""Opens text files, compressed or not, and tells what went wrong in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from nequip_openmm.errors import DataError

__all__ = ["COMPRESSED", "check_readable", "open_text", "read_start"]

COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""First bytes of compressed files."""


def check_readable(path: Path) -> None:
    """Raise `DataError` when there is no file or folder at ``path`` that may be read."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            return
        with path.open("rb") as raw:
            empty = not raw.read(1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if empty:
        raise DataError(f"{path}: the file is empty")


def read_start(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with path.open("rb") as raw, _reported(path), _decompressed(raw, path) as plain:
        return plain.read(size)


@contextmanager
def open_text(path: Path) -> Iterator[tuple[IO[str], IO[bytes]]]:
    """Give the lines of a text file and the raw file under it, whose ``tell()`` says how far reading is.

    Raises
    ------
    DataError
        If the file is not text, or damaged, found while lines are read within the block.
    """
    with path.open("rb") as raw, _reported(path), _decompressed(raw, path) as plain:
        yield io.TextIOWrapper(plain, encoding="utf-8"), raw


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file, and no format known here") from error
    except EOFError as error:
        raise DataError(f"{path}: the compressed file is truncated") from error
    except _damage() as error:
        raise DataError(f"{path}: the compressed file is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _damage() -> tuple[type[Exception], ...]:
    """Return what decompressors raise; zstandard's own error only where it has been imported."""
    known: tuple[type[Exception], ...] = (lzma.LZMAError, zlib.error, gzip.BadGzipFile)
    zstandard = sys.modules.get("zstandard")
    return known if zstandard is None else (*known, zstandard.ZstdError)


def _decompressed(raw: IO[bytes], path: Path) -> Any:
    start = raw.read(8)
    raw.seek(0)
    kind = next((name for magic, name in COMPRESSED.items() if start.startswith(magic)), None)
    if kind == "gzip":
        return gzip.GzipFile(fileobj=raw)
    if kind == "bzip2":
        return bz2.BZ2File(raw)
    if kind == "xz":
        return lzma.LZMAFile(raw)
    if kind == "zstd":
        return _zstd(raw, path)
    return raw


def _zstd(raw: IO[bytes], path: Path) -> Any:
    try:
        zstandard = import_module("zstandard")
    except ImportError as error:
        raise DataError(
            f"{path}: reading .zst files needs the package zstandard (pip install zstandard)"
        ) from error
    return zstandard.ZstdDecompressor().stream_reader(raw)
