"""What happens to a job until it has ended."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timezone

from .._api.enums import JobEventType, JobStatus
from .._api.watch_jobs import WatchJobsJobEvents
from .._repeat import async_sleep
from ..errors import JoblinkError, job_not_found
from .calls import Operations
from .transport import SILENCE

#: How long to wait before a job is looked at again where no stream tells of it, in seconds.
PAUSE = 1.0
ENDED = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


def is_over(event: WatchJobsJobEvents) -> bool:
    """Whether nothing more will happen to a job but its deletion."""
    return event.type_ == JobEventType.DELETED or (event.job is not None and event.job.status in ENDED)


def left(deadline: float | None) -> float:
    """How long a stream may be silent: not much beyond the deadline."""
    if deadline is None:
        return SILENCE
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise JoblinkError("TIMEOUT", "The job has not ended in the time that was given; it goes on.")
    return min(SILENCE, remaining)


async def look(calls: Operations, job_id: str) -> WatchJobsJobEvents:
    """How a job stands, as an event of a stream would tell it."""
    job = await calls.get_job(job_id)
    if job is not None:
        now = datetime.now(timezone.utc)
        return WatchJobsJobEvents(type_=JobEventType.STATUS, job_id=job.id, at=now, job=job)
    receipt = await calls.get_receipt(job_id)
    if receipt is None:
        raise job_not_found()
    return WatchJobsJobEvents(type_=JobEventType.DELETED, job_id=receipt.job_id, at=receipt.deleted_at, job=None)


class News:
    """Tells events that say something new from those that do not."""

    def __init__(self) -> None:
        self._told: object = None

    def has(self, event: WatchJobsJobEvents) -> bool:
        """Whether the job stands otherwise than it did."""
        now = (event.type_ == JobEventType.DELETED, event.job and event.job.status, event.job and event.job.progress)
        is_other = now != self._told
        self._told = now
        return is_other


async def watch(calls: Operations, job_id: str, deadline: float | None) -> AsyncGenerator[WatchJobsJobEvents, None]:
    """What happens to a job until it has ended or is deleted.

    Where a stream of events cannot be had, or breaks off, the job is looked at once a second until one can be had again.
    """
    news = News()
    while True:
        seen = await look(calls, job_id)
        if news.has(seen):
            yield seen
        if is_over(seen):
            return
        try:
            async with aclosing(calls.watch_jobs(seen.job_id, silence=left(deadline))) as events:
                async for event in events:
                    if news.has(event):
                        yield event
                    if is_over(event):
                        return
                    left(deadline)
        except JoblinkError:
            # Whatever is wrong with the stream: a look at the job either works, or says what is wrong with that.
            left(deadline)
        await async_sleep(min(PAUSE, left(deadline)))
