"""Files at the command's doors: a document is read whole, and an answer is written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from placer_models.faults import Faults
from placer_models.strict_json import MOST_BYTES

STDIN, STDOUT = "<stdin>", "<stdout>"


def read(path: str) -> tuple[bytes, str]:
    """The bytes of a file (``-``: of standard input), and the name by which faults call it.

    Of what is larger than a document may be, only so much is read that :func:`read_json` sees that it is.

    Raises :class:`Faults` when there is nothing to read: no such file, a directory, no permission.
    """
    source = STDIN if path == "-" else path
    if path == "-" and sys.stdin is None:
        raise Faults(source, ["cannot be read: it is closed"])
    try:
        if path == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1), source
        with Path(path).open("rb") as stream:
            return stream.read(MOST_BYTES + 1), source
    except IsADirectoryError:
        raise Faults(source, ["found a directory, expected a file"]) from None
    except FileNotFoundError:
        raise Faults(source, ["no such file"]) from None
    except (OSError, ValueError) as error:
        raise Faults(source, [f"cannot be read: {_why(error)}"]) from None


def spare(path: str, output: str | None) -> None:
    """Raise :class:`Faults` where what is written to `output` would take the place of a file that was read."""
    if output is None or "-" in (path, output):
        return
    with contextlib.suppress(OSError):  # what is not there is not written over
        if Path(path).is_file() and Path(output).samefile(path):
            raise Faults(output, ["is read by this command, expected another file to write to"])


def write(path: str | None, text: str) -> None:
    """Writes the text to a file, or to standard output (``None`` or ``-``).

    A file is either as it was before or holds all of the text, whatever happens meanwhile: the text goes to a temporary
    file beside it, which then takes its place. A symbolic link stays, and its target is written. Mode and owner stay.
    A reader of standard output that goes away early is no fault.

    Raises :class:`Faults` when it cannot be written.
    """
    data = text.encode("utf-8")
    if path is None or path == "-":
        _to_stdout(data)
        return
    try:
        _to_file(Path(os.path.realpath(path)), data)
    except IsADirectoryError:
        raise Faults(path, ["found a directory, expected a file to write"]) from None
    except FileNotFoundError:
        raise Faults(path, ["cannot be written: its folder does not exist"]) from None
    except (OSError, ValueError) as error:
        raise Faults(path, [f"cannot be written: {_why(error)}"]) from None


def _to_stdout(data: bytes) -> None:
    if sys.stdout is None:
        raise Faults(STDOUT, ["cannot be written: it is closed"])
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        leave_stdout()
        if not isinstance(error, BrokenPipeError):
            raise Faults(STDOUT, [f"cannot be written: {_why(error)}"]) from None


def leave_stdout() -> None:
    """Standard output cannot be written: what is still in its buffer would be tried again, and fail again with a
    traceback, when Python ends.
    """
    with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _to_file(path: Path, data: bytes) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError
    if old and not os.access(path, os.W_OK):
        raise PermissionError("it is read-only")
    if old and not stat.S_ISREG(old.st_mode):  # a pipe or a device must be written itself, not replaced by a file
        path.write_bytes(data)
        return
    temporary = path.with_name(f".placer-{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as stream:
            if old:
                with contextlib.suppress(OSError):  # only root may give a file away
                    os.fchown(stream.fileno(), old.st_uid, old.st_gid)
                os.fchmod(stream.fileno(), stat.S_IMODE(old.st_mode))
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:  # also Ctrl-C
        temporary.unlink(missing_ok=True)
        raise


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
