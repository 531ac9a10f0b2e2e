"""The file of a frame log: new, or in the place of an older one; never in that of anything else."""

import os
from pathlib import Path
from typing import TextIO

from simulator.errors import SettingsError
from simulator.frame_log import FIRST_LINE

_BUFFER_BYTES = 1 << 16  # written out at least once a second


def open_frame_log(path: Path, option: str) -> TextIO:
    """Open it for writing, for the user alone. `option`: which names it. Raises SettingsError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            start = os.read(descriptor, len(FIRST_LINE))
            if start and start != FIRST_LINE.encode():
                remedy = "it holds something else than a frame log, which is left alone; give another file"
                raise SettingsError(option, str(path), remedy)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.fdopen(descriptor, "w", buffering=_BUFFER_BYTES, encoding="utf-8", errors="backslashreplace")
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise SettingsError(option, str(path), f"give a file that can be written ({error.strerror})") from error
