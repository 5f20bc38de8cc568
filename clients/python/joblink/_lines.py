"""Server-sent events out of a text as it comes in (HTML, "Server-sent events")."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

#: The end of a line. A return at the very end of what has come may be half of one.
END = re.compile(r"\r\n|\n|\r(?!$)")


class Lines:
    """Gives the events that are whole, and keeps the rest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._event = ""
        self._data: list[str] = []

    def take(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """The events that end in a chunk, each as its name and its data."""
        *lines, self._rest = END.split(self._rest + self._decoder.decode(chunk))
        for line in lines:
            if not line:
                if self._event or self._data:
                    yield self._event or "message", "\n".join(self._data)
                self._event, self._data = "", []
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                self._event = value
            elif field == "data":
                self._data.append(value)
