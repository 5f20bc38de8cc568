"""The client's face."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx

from .._answer import check, unanswered
from .._api.base_model import UNSET
from .._api.enums import JobEventType, PredictionKind
from .._api.fragments import ArtifactFields, JobFields, ReceiptFields, RefusalFields
from .._api.get_viewer import GetViewerViewer
from .._api.input_types import CreateJobInput, DeletionReceiptFilter, FileSource, JobExpectation, JobFilter, JobOrder
from .._api.preview_deletion import PreviewDeletionDeletionPreview
from .._api.watch_jobs import WatchJobsJobEvents
from .._deletion import DeletedJobs, portions
from .._files import Source, Upload
from .._predictions import Prediction, RowError
from .._repeat import Bounds
from ..errors import DeletionInterrupted, JoblinkError, accepted, job_not_found, was_refused
from .calls import Operations
from .watch import ENDED, watch

T = TypeVar("T")
Kind = PredictionKind | Literal["ANNUAL", "QUARTERLY"]


class AsyncJoblink:
    """A Joblink server.

    All methods raise `JoblinkError`, or its kind `UserErrors` where the server refuses a change by a rule. A call is sent
    again only where that is safe: after HTTP 429 always; after 503, or without an answer, what changes nothing, uploads
    and `cancel_job`.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = 60.0,
        attempts: int = 4,
        max_wait: float = 30.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Connects to nothing yet.

        `url` is that of the server, with or without `/graphql`; `token` the bearer token, or what gives one that is still
        good; `timeout` how long an answer may take, in seconds; `attempts` how often a call is tried at most, and `max_wait`
        how long the pauses in between may take together, in seconds. `http` sends requests in place of a client of its own,
        which is then the caller's to close.
        """
        self._is_own = http is None
        http = http or httpx.AsyncClient()
        self._calls = Operations(url, token, timeout, Bounds(attempts, max_wait), http)
        self._timeout = timeout

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._is_own:
            await self._calls.http.aclose()

    async def __aenter__(self) -> AsyncJoblink:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def viewer(self) -> GetViewerViewer | None:
        """Who calls; `None` without a login."""
        return await self._calls.get_viewer()

    async def job(self, id: str) -> JobFields | None:
        """A job; `None` if there is none that the caller sees."""
        return await self._calls.get_job(id)

    async def jobs(
        self, filter: JobFilter | None = None, order_by: JobOrder | None = None, *, page_size: int = 100
    ) -> AsyncIterator[JobFields]:
        """All jobs that the caller sees, the newest first; pages are fetched as they are reached."""
        after: str | None = None
        while True:
            page = found(await self._calls.list_jobs(page_size, after, filter, UNSET if order_by is None else order_by))
            for job in page.nodes:
                yield job
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor

    async def predictions(self, job_id: str, *, page_size: int = 100) -> AsyncIterator[Prediction]:
        """All predictions linked to a job."""
        after: str | None = None
        while True:
            job = await self._calls.list_predictions(job_id, page_size, after)
            if job is None:
                raise job_not_found()
            for prediction in job.predictions.nodes:
                yield prediction
            if not job.predictions.page_info.has_next_page:
                return
            after = job.predictions.page_info.end_cursor

    async def row_errors(self, job_id: str, *, page_size: int = 100) -> AsyncIterator[RowError]:
        """All rows of a job's file that were not stored, in the order of the file."""
        after: str | None = None
        while True:
            job = await self._calls.list_row_errors(job_id, page_size, after)
            if job is None:
                raise job_not_found()
            for error in job.row_errors.nodes:
                yield error
            if not job.row_errors.page_info.has_next_page:
                return
            after = job.row_errors.page_info.end_cursor

    async def upload_file(
        self,
        file: Source,
        kind: Kind,
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> JobFields:
        """Sends a CSV or Excel file (a path, an open binary file, or bytes), from which a job makes predictions.

        Gives the job, pending. `idempotency_key` is a name of your own for this upload: sent again within 24 hours with the
        same file, it gives the job of the first time. `on_progress` is told how many bytes have been sent.
        """
        upload_id = await self._send(Upload(file, name, on_progress))
        # With a key it is the same job however often it is asked for, so that it may be asked for again.
        key = upload_id if idempotency_key is None else idempotency_key
        source = FileSource(upload_id=upload_id)
        wanted = CreateJobInput(kind=PredictionKind(kind), source=source, idempotency_key=key)
        return found(accepted(await self._calls.create_job(wanted, is_repeatable=True)).job)

    async def _send(self, upload: Upload) -> str:
        """Sends a file ahead of its job; what no job takes, the server drops after a day."""
        path = "uploads" if upload.name is None else f"uploads?name={quote(upload.name, safe='')}"
        url = self._calls.address(path)
        # With a type of its own, so that no other site's form can send one.
        headers = self._calls.headers(content_type="application/octet-stream")

        async def once() -> str:
            timeout = httpx.Timeout(self._timeout, write=None)
            try:
                response = await self._calls.http.post(url, content=upload.async_chunks(), headers=headers, timeout=timeout)
            except httpx.HTTPError as cause:
                raise unanswered(url, cause) from cause
            check(response)
            return str(response.json()["uploadId"])

        if upload.is_repeatable:
            return await self._calls.repeat(once, True)
        return await once()

    async def watch(self, id: str, *, timeout: float | None = None) -> AsyncIterator[WatchJobsJobEvents]:
        """What happens to a job, live, until it has ended or is deleted.

        Where streams do not get through, it is looked at once a second. After `timeout` seconds (and the server's next sign of
        life, at most 20 seconds later) `JoblinkError` with `TIMEOUT`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        async with aclosing(watch(self._calls, id, deadline)) as events:
            async for event in events:
                yield event

    async def events(self) -> AsyncIterator[WatchJobsJobEvents]:
        """What happens to all jobs that the caller sees, from now on.

        Raises where the stream breaks off: events may be lost then.
        """
        async with aclosing(self._calls.watch_jobs()) as events:
            async for event in events:
                yield event

    async def wait_for(
        self, id: str, *, timeout: float | None = None, on_progress: Callable[[JobFields], None] | None = None
    ) -> JobFields:
        """The job once it has ended, well or not: see its `status`.

        Raises `JOB_ALREADY_DELETED` where it is deleted meanwhile. `timeout` is as for `watch`.
        """
        last: JobFields | None = None
        async for event in self.watch(id, timeout=timeout):
            if event.type_ == JobEventType.DELETED:
                break
            last = event.job
            if last is not None and on_progress is not None:
                on_progress(last)
        if last is None or last.status not in ENDED:
            message = "The job was deleted before it had ended; its receipt says by whom."
            raise JoblinkError("JOB_ALREADY_DELETED", message)
        return last

    async def cancel_job(self, id: str, *, reason: str = "user_request", notes: str | None = None) -> JobFields:
        """Stops a job; what it has stored stays. A job that is cancelled already is given as it is."""
        # A second cancellation is answered with the first one.
        return found(accepted(await self._calls.cancel_job(id, reason, notes, is_repeatable=True)).job)

    async def retry_job(self, id: str) -> JobFields:
        """Runs the file of a failed or cancelled job once more, as a new job."""
        return found(accepted(await self._calls.retry_job(id)).job)

    async def hold_job(self, id: str, reason: str) -> JobFields:
        """Forbids deleting a job, until the hold is lifted. For administrators."""
        return found(accepted(await self._calls.hold_job(id, reason)).job)

    async def release_job_hold(self, id: str) -> JobFields:
        """Lifts a job's hold. For administrators."""
        return found(accepted(await self._calls.release_job_hold(id)).job)

    async def preview_deletion(self, ids: Iterable[str], *, force: bool = False) -> PreviewDeletionDeletionPreview:
        """Exactly what deleting these jobs would do, and which would be refused and why. Changes nothing."""
        whole = PreviewDeletionDeletionPreview(deletable=[], refused=[])
        for page in portions(ids):
            part = found(await self._calls.preview_deletion(page, force))
            whole.deletable.extend(part.deletable)
            whole.refused.extend(part.refused)
        return whole

    async def delete_job(
        self,
        id: str,
        *,
        delete_predictions: bool = False,
        force: bool = False,
        reason: str | None = None,
        expected_predictions: int | None = None,
    ) -> ReceiptFields:
        """Deletes a job, with or without the predictions linked to it, in one transaction. Gives the receipt.

        `force` deletes it even while it is active, which cancels it; with `expected_predictions` nothing is deleted where
        another number is linked to it now.
        """
        payload = await self._calls.delete_job(id, delete_predictions, force, reason, expected_predictions)
        return found(accepted(payload).receipt)

    async def delete_jobs(
        self,
        ids: Iterable[str],
        *,
        delete_predictions: bool = False,
        force: bool = False,
        reason: str | None = None,
        expected: Sequence[JobExpectation] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> DeletedJobs:
        """Deletes any number of jobs, a hundred at a time, each in a transaction of its own.

        What is refused for one job is in the result; where the whole comes to a halt, `DeletionInterrupted` says how far it
        came. `on_progress` is told after each hundred how many have been dealt with, of how many.
        """
        pages = portions(ids)
        receipts: list[ReceiptFields] = []
        refused: list[RefusalFields] = []
        for number, page in enumerate(pages):
            theirs = None if expected is None else [shown for shown in expected if shown.id in page]
            try:
                call = self._calls.delete_jobs(page, delete_predictions, force, reason, theirs)
                payload = accepted(await call)
            except JoblinkError as error:
                rest = [id for later in pages[number + 1 :] for id in later]
                uncertain, untouched = ([], page + rest) if was_refused(error) else (page, rest)
                raise DeletionInterrupted(error, receipts, refused, uncertain, untouched) from error
            receipts.extend(payload.receipts)
            refused.extend(payload.refused)
            if on_progress is not None:
                on_progress(sum(map(len, pages[: number + 1])), sum(map(len, pages)))
        return DeletedJobs(receipts, refused)

    async def receipt(self, job_id: str) -> ReceiptFields | None:
        """The receipt of a job's deletion; `None` if it was not deleted, or is not the caller's to see."""
        return await self._calls.get_receipt(job_id)

    async def receipts(
        self, filter: DeletionReceiptFilter | None = None, *, page_size: int = 100
    ) -> AsyncIterator[ReceiptFields]:
        """All receipts that the caller sees, the newest first."""
        after: str | None = None
        while True:
            page = found(await self._calls.list_receipts(page_size, after, filter))
            for receipt in page.nodes:
                yield receipt
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor

    async def download(self, artifact: ArtifactFields | str) -> bytes:
        """A file of a job (one of its `artifacts`, or the id of one)."""
        gathered = bytearray()

        async def once() -> None:
            gathered.clear()
            await self._fetch(artifact, gathered.extend)

        await self._calls.repeat(once, True)
        return bytes(gathered)

    async def download_to(self, artifact: ArtifactFields | str, path: str | os.PathLike[str]) -> None:
        """Writes a file of a job to a path, which is there once it is whole."""
        part = Path(f"{os.fspath(path)}.part")

        async def once() -> None:
            with part.open("wb") as file:
                await self._fetch(artifact, file.write)

        try:
            await self._calls.repeat(once, True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    async def _fetch(self, artifact: ArtifactFields | str, take: Callable[[bytes], object]) -> None:
        id = artifact if isinstance(artifact, str) else artifact.id
        url = self._calls.address(f"artifacts/{quote(id, safe='')}")
        headers = self._calls.headers()
        try:
            async with self._calls.http.stream("GET", url, headers=headers, timeout=self._timeout) as response:
                if not response.is_success:
                    await response.aread()
                    check(response)
                async for chunk in response.aiter_bytes():
                    take(chunk)
        except httpx.HTTPError as cause:
            raise unanswered(url, cause) from cause


def found(it: T | None) -> T:
    """What an answer holds."""
    if it is None:
        raise JoblinkError("UNEXPECTED_ANSWER", "The server gave nothing where its schema promises something.")
    return it
