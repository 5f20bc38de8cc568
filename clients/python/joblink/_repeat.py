"""When a call is sent again."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from .errors import JoblinkError

#: The first pause where the server names none, in seconds; each further one is twice as long.
FIRST_PAUSE = 0.25


@dataclass(frozen=True)
class Bounds:
    """How long and how often a call is tried."""

    #: How often at most.
    attempts: int
    #: How long all pauses of a call may take together, in seconds.
    max_wait: float


def may_repeat(error: JoblinkError, is_repeatable: bool) -> bool:
    """Whether a call that ended so may be sent again."""
    # Too many requests are refused at the door, before anything is done for them.
    if error.status == 429:
        return True
    return is_repeatable and (error.status == 503 or error.code in ("UNREACHABLE", "TIMEOUT"))


class Patience:
    """What is left of the bounds of a call."""

    def __init__(self, bounds: Bounds, is_repeatable: bool) -> None:
        self._bounds = bounds
        self._is_repeatable = is_repeatable
        self._attempt = 0
        self._left = bounds.max_wait

    def pause(self, error: JoblinkError) -> float:
        """How long to wait before the next attempt, in seconds; raises the error where there is none."""
        self._attempt += 1
        if self._attempt >= self._bounds.attempts or not may_repeat(error, self._is_repeatable):
            raise error
        least = error.retry_after if error.retry_after is not None else FIRST_PAUSE * 2 ** (self._attempt - 1)
        # Those who were refused together do not come back together.
        pause = least * (1 + random.random() / 4)
        if pause > self._left:
            raise error
        self._left -= pause
        return pause


def sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


async def async_sleep(seconds: float) -> None:
    """Waits."""
    await asyncio.sleep(seconds)
