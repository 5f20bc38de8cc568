"""Many jobs at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._api.fragments import ReceiptFields, RefusalFields

#: The most ids that the server takes at a time.
LARGEST = 100


@dataclass(frozen=True)
class DeletedJobs:
    """What became of jobs."""

    #: The receipts of those that were deleted.
    receipts: Sequence[ReceiptFields]
    #: Those that stay, or were gone before, and why.
    refused: Sequence[RefusalFields]


def portions(ids: Iterable[str]) -> list[list[str]]:
    """Ids without repetitions, as many at a time as the server takes."""
    every = list(dict.fromkeys(ids))
    return [every[begin : begin + LARGEST] for begin in range(0, len(every), LARGEST)]
