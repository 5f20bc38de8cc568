"""What may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ._api.fragments import JobFields, ReceiptFields, RefusalFields, UserErrorFields


class JoblinkError(Exception):
    """Something that did not work.

    `code` is the server's (`UNAUTHENTICATED`, `RATE_LIMITED`, `DATABASE_BUSY` …), or one of this package's own:
    `UNREACHABLE` (no answer), `TIMEOUT` (no answer in time), `UNEXPECTED_ANSWER` (not Joblink's).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        request_id: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        #: Which kind, for programs.
        self.code = code
        #: One sentence, for people.
        self.message = message
        #: The id under which the server's log has the request.
        self.request_id = request_id
        #: The HTTP status of the answer, where there was one.
        self.status = status
        #: How long the server wants callers to wait, in seconds.
        self.retry_after = retry_after


class UserErrors(JoblinkError):
    """The server refused a call by a rule, and nothing changed. `code` and the message are those of the first reason."""

    def __init__(
        self, errors: Sequence[UserErrorFields], job: JobFields | None = None, receipt: ReceiptFields | None = None
    ) -> None:
        super().__init__(errors[0].code.value, errors[0].message)
        #: All reasons.
        self.user_errors: tuple[UserErrorFields, ...] = tuple(errors)
        #: The job as it stands, where the caller may see it.
        self.job = job
        #: The receipt, where the job was deleted before.
        self.receipt = receipt


class DeletionInterrupted(JoblinkError):
    """Deleting many jobs came to a halt; `__cause__` says why."""

    def __init__(
        self,
        cause: JoblinkError,
        receipts: Sequence[ReceiptFields],
        refused: Sequence[RefusalFields],
        uncertain: Sequence[str],
        untouched: Sequence[str],
    ) -> None:
        message = (
            f"Deleting came to a halt after {len(receipts)} jobs, with {len(uncertain)} uncertain "
            f"and {len(untouched)} untouched: {cause.message}"
        )
        super().__init__(cause.code, message, request_id=cause.request_id, status=cause.status)
        #: The receipts of the jobs that were deleted before.
        self.receipts = tuple(receipts)
        #: The jobs that were refused before, and why.
        self.refused = tuple(refused)
        #: Jobs of which it is unknown, as their answer did not come; their receipts tell.
        self.uncertain = tuple(uncertain)
        #: Jobs that nothing was asked about.
        self.untouched = tuple(untouched)


class Payload(Protocol):
    """What a mutation gives."""

    @property
    def user_errors(self) -> Sequence[UserErrorFields]:
        """Why it was refused."""


P = TypeVar("P", bound=Payload)


def accepted(payload: P | None) -> P:
    """The payload of a mutation, unless that was refused."""
    if payload is None:
        raise JoblinkError("UNEXPECTED_ANSWER", "The server answered a mutation without a result and without an error.")
    if payload.user_errors:
        job, receipt = getattr(payload, "job", None), getattr(payload, "receipt", None)
        raise UserErrors(payload.user_errors, job, receipt)
    return payload


def was_refused(error: JoblinkError) -> bool:
    """Whether the server said that it did nothing of what was asked."""
    return isinstance(error, UserErrors) or (error.status is not None and 400 <= error.status < 500)


def job_not_found() -> JoblinkError:
    """There is no such job, or not for this caller."""
    return JoblinkError("JOB_NOT_FOUND", "Job not found")
