"""Standard streams that nobody reads, or that cannot write every character: the work goes on."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class _Unread(io.FileIO):
    """A stream whose reader may leave, as `head` does."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # Python writes what is left once more at the end.
            _to_nowhere(self.fileno())
            if isinstance(error, BrokenPipeError):
                return super().write(data)
            raise


def mend_streams() -> None:
    """Let stdout and stderr be closed, before the start (`>&-`) or by their reader (`| head`).

    A character that their encoding lacks is written as an escape.

    What somebody else has put in their place, such as a test, stays.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # Otherwise the next file that is opened would be written to as this stream.
            _to_nowhere(number)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _mended(number, stream))


def _mended(number: int, stream: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Unread(number, "w", closefd=False)),
        encoding="utf-8" if stream is None else stream.encoding,
        errors="backslashreplace",
        line_buffering=stream is not None and bool(stream.line_buffering),
    )


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
