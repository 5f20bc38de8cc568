"""Files to upload: by their path, open ones, or their bytes."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

#: What may be uploaded.
Source = str | os.PathLike[str] | BinaryIO | bytes

#: How much is read at a time, in bytes.
CHUNK = 256 * 1024


class Upload:
    """A file that is sent, more than once where the first time fails."""

    def __init__(self, source: Source, name: str | None, on_progress: Callable[[int], None] | None) -> None:
        self._path = Path(source) if isinstance(source, str | os.PathLike) else None
        self._file: BinaryIO | None = None
        if isinstance(source, bytes):
            self._file = io.BytesIO(source)
        elif not isinstance(source, str | os.PathLike):
            self._file = source
        #: Whether it can be read again from its beginning.
        self.is_repeatable = self._file is None or self._file.seekable()
        self._start = self._file.tell() if self._file and self.is_repeatable else 0
        told = name or (str(self._path) if self._path else getattr(source, "name", None))
        #: The name that the server is told.
        self.name = Path(told).name if isinstance(told, str) else None
        self._on_progress = on_progress

    def _open(self) -> BinaryIO:
        if self._path is not None:
            return self._path.open("rb")
        assert self._file is not None
        if self.is_repeatable:
            self._file.seek(self._start)
        return self._file

    def _close(self, file: BinaryIO) -> None:
        # What the caller opened, the caller closes.
        if self._path is not None:
            file.close()

    def _tell(self, sent: int) -> None:
        if self._on_progress:
            self._on_progress(sent)

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, from the beginning."""
        file, sent = self._open(), 0
        try:
            while chunk := file.read(CHUNK):
                yield chunk
                sent += len(chunk)
                self._tell(sent)
        finally:
            self._close(file)

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, from the beginning, read beside the event loop."""
        file, sent = await asyncio.to_thread(self._open), 0
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
                sent += len(chunk)
                self._tell(sent)
        finally:
            self._close(file)
