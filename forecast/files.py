"""Files that are either whole or not there: atomic writes, staged folders, checksums."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forecast.errors import ArtifactError, ConfigError


def home_folder(home: str | Path) -> Path:
    """The home folder as an absolute path; a `~` that no shell has expanded is the user's own.

    Raises:
        ConfigError: if it names a user that is not known here.
    """
    return expanded(home, what="home").absolute()


def expanded(folder: str | Path, *, what: str) -> Path:
    """The folder, in which a `~` at the beginning is the user's own.

    Args:
        folder: As the user wrote it.
        what: Which folder, such as `home`.

    Raises:
        ConfigError: if it names a user that is not known here.
    """
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"a {what} folder that begins with ~ must name a user of this machine. "
            f"Received {folder}.",
            hint=f"the whole path of the {what} folder",
        ) from error


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never half.

    Raises:
        ArtifactError: if the folder cannot be written (read-only, full disk).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile: it would make the file the owner's alone, whatever the umask says.
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document atomically; NaN and infinity are refused (they are not JSON)."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode())


@contextmanager
def locked(path: Path, *, wait: float) -> Iterator[bool]:
    """Hold a lock file; the system frees it if the process dies.

    Args:
        path: The file; its folder is made.
        wait: How long for another process to let go [s]; below 0 for ever.

    Yields:
        Whether it is held: not if another process did not let go.

    Raises:
        ArtifactError: if the lock file cannot be made (read-only folder, full disk).
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=wait, poll_interval=0.02)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A temporary sibling of `final` to fill; it becomes `final` in one rename, or vanishes.

    Raises:
        ArtifactError: if the folder cannot be written (read-only, full disk).
    """
    stage: Path | None = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        stage = final.parent / f".{final.name}.{secrets.token_hex(4)}"
        stage.mkdir()
        yield stage
        for path in stage.rglob("*"):
            if path.is_file():
                _sync_file(path)
        sync_folder(stage)
        stage.rename(final)
        sync_folder(final.parent)
    except OSError as error:
        raise unwritable(final, error) from error
    finally:
        if stage is not None and stage.exists():
            shutil.rmtree(stage, ignore_errors=True)


def sha256(path: Path) -> str:
    """The file's SHA-256 as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(root: Path, *parts: str) -> Path:
    """`root` joined with `parts`, refused when the result would leave `root`.

    Raises:
        ArtifactError: if the path points outside `root`.
    """
    path = root.joinpath(*parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise ArtifactError(
            f"a path must stay inside {root}. Received {'/'.join(parts)!r}.",
            hint="check the ticker or run name",
        )
    return path


def unwritable(path: Path, error: OSError) -> ArtifactError:
    """The one error for a folder that cannot be written."""
    reason = error.strerror or str(error)
    return ArtifactError(
        f"{path.parent} must be writable. Writing {path.name} failed: {reason}.",
        hint="free some disk space or choose another folder with --home DIR",
    )
