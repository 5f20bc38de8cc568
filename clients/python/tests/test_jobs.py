"""Jobs from the upload to their receipts, on a server without login."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from joblink import (
    ArtifactKind,
    ErrorCode,
    Job,
    JobExpectation,
    JobFilter,
    Joblink,
    JoblinkError,
    JobOrder,
    JobOrderField,
    JobStatus,
    OrderDirection,
    PredictionKind,
    QuarterlyPrediction,
    UserErrors,
)

from .conftest import completed, csv, told, unique


def refused(call: Callable[[], object], code: ErrorCode) -> UserErrors:
    """The refusal that a call must end with."""
    with pytest.raises(UserErrors) as caught:
        call()
    error = caught.value
    assert isinstance(error, JoblinkError)
    assert (error.code, error.message) == (code.value, error.user_errors[0].message) and str(error) == error.message
    return error


def test_a_file_is_uploaded_with_its_progress_told_and_its_job_watched_to_the_end(joblink: Any, tmp_path: Path) -> None:
    source = tmp_path / "figures.csv"
    source.write_bytes(csv(1500, 1))
    sent: list[int] = []
    job = joblink.upload_file(source, PredictionKind.QUARTERLY, on_progress=sent.append)
    assert sent and sent[-1] == source.stat().st_size == job.file_size
    assert (job.file_name, job.kind) == ("figures.csv", PredictionKind.QUARTERLY)

    seen: list[Job] = []
    ended = joblink.wait_for(job.id, timeout=60, on_progress=seen.append)
    progress = ended.progress
    assert (ended.status, progress.total, progress.succeeded, progress.failed) == (JobStatus.COMPLETED, 1501, 1500, 1)
    assert seen[-1].status == JobStatus.COMPLETED
    processed = [now.progress.processed for now in seen]
    assert processed == sorted(processed)

    errors = [(error.line, error.column, error.code) for error in joblink.row_errors(job.id)]
    assert errors == [(1502, "total_debt_to_ebitda", "INVALID_VALUE")]
    predictions = list(joblink.predictions(job.id))
    assert len({prediction.id for prediction in predictions}) == 1500
    assert isinstance(predictions[0], QuarterlyPrediction)
    assert (predictions[0].sga_margin, predictions[0].reporting_year) == (Decimal("20.5"), "2024")

    [results] = [artifact for artifact in ended.artifacts if artifact.kind == ArtifactKind.RESULTS]
    joblink.download_to(results, tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_bytes() == joblink.download(results.id)
    assert (tmp_path / "results.csv").stat().st_size == results.size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.csv", "results.csv"]


def test_open_files_and_bytes_are_uploaded(joblink: Any, tmp_path: Path) -> None:
    path = tmp_path / "open.csv"
    path.write_bytes(csv(2))
    with path.open("rb") as file:
        assert joblink.upload_file(file, "QUARTERLY").file_name == "open.csv"
        assert not file.closed
    assert joblink.upload_file(io.BytesIO(csv(2)), "QUARTERLY", name="of my own.csv").file_name == "of my own.csv"


def test_a_watch_begins_with_how_the_job_stands_and_ends_with_the_job(joblink: Any) -> None:
    id = completed(joblink, 1).id
    assert [(event.type_, event.job.status) for event in joblink.watch(id)] == [("STATUS", "COMPLETED")]
    joblink.delete_job(id)
    assert [(event.type_, event.job_id, event.job) for event in joblink.watch(id)] == [("DELETED", id, None)]
    for gone, code in ((id, "JOB_ALREADY_DELETED"), (str(uuid.uuid4()), "JOB_NOT_FOUND")):
        with pytest.raises(JoblinkError) as caught:
            joblink.wait_for(gone)
        assert caught.value.code == code


def test_a_job_is_deleted_with_its_predictions_or_without_and_has_a_receipt(joblink: Any) -> None:
    kept, whole = completed(joblink, 3).id, completed(joblink, 4).id
    preview = joblink.preview_deletion([kept, whole])
    assert [job.quarterly_predictions for job in preview.deletable] == [3, 4]

    released = joblink.delete_job(kept)
    assert (released.delete_predictions, released.released_predictions) == (False, 3)
    deleted = joblink.delete_job(whole, delete_predictions=True, expected_predictions=4, reason="a test")
    assert (deleted.deleted_quarterly_predictions, deleted.released_predictions, deleted.reason) == (4, 0, "a test")

    assert joblink.job(whole) is None
    with pytest.raises(JoblinkError, match="Job not found"):
        list(joblink.predictions(whole))
    assert joblink.receipt(whole).id == deleted.id
    assert joblink.receipt(str(uuid.uuid4())) is None
    assert deleted.id in [receipt.id for receipt in zip_first(3, joblink.receipts(page_size=1))]
    again = refused(lambda: joblink.delete_job(whole), ErrorCode.JOB_ALREADY_DELETED)
    assert again.receipt is not None and again.receipt.id == deleted.id
    refused(lambda: joblink.delete_job(str(uuid.uuid4())), ErrorCode.JOB_NOT_FOUND)


def zip_first(count: int, items: Iterator[Any]) -> list[Any]:
    """The first of a list whose end is not wanted."""
    return [item for item, _ in zip(items, range(count), strict=False)]


def test_another_number_of_predictions_than_was_shown_refuses_the_deletion(joblink: Any) -> None:
    id = completed(joblink, 2).id
    stale = refused(lambda: joblink.delete_job(id, delete_predictions=True, expected_predictions=1), ErrorCode.PREVIEW_STALE)
    assert stale.job is not None and stale.job.id == id
    outcome = joblink.delete_jobs([id], expected=[JobExpectation(id=id, predictions=1)])
    assert [refusal.error.code for refusal in outcome.refused] == [ErrorCode.PREVIEW_STALE]
    assert len(list(joblink.predictions(id))) == 2


@pytest.fixture(scope="module")
def hundred() -> Iterator[tuple[str, set[str]]]:
    """More jobs than a page holds, and what they are found by."""
    name = unique()
    with Joblink(told("JOBLINK_URL")) as joblink:
        made = {joblink.upload_file(csv(1), "QUARTERLY", name=f"{name}-{number}.csv").id for number in range(102)}
    yield name, made


def test_lists_go_on_beyond_a_page_and_any_number_of_jobs_is_deleted(joblink: Any, hundred: tuple[str, set[str]]) -> None:
    name, made = hundred
    order = JobOrder(field=JobOrderField.FILE_NAME, direction=OrderDirection.ASC)
    ids = [job.id for job in joblink.jobs(JobFilter(search=name), order)]
    assert len(ids) == len(made) == 102 and set(ids) == made
    assert len(list(joblink.jobs(JobFilter(search=name), page_size=10))) == 102
    assert len(joblink.preview_deletion(ids, force=True).deletable) == 102
    if isinstance(joblink, Joblink):
        return  # The other client deletes them.
    unknown = str(uuid.uuid4())
    dealt_with: list[tuple[int, int]] = []
    outcome = joblink.delete_jobs(
        [*ids, unknown, ids[0]],
        delete_predictions=True,
        force=True,
        on_progress=lambda done, total: dealt_with.append((done, total)),
    )
    assert {receipt.job_id for receipt in outcome.receipts} == made
    assert [(refusal.job_id, refusal.error.code) for refusal in outcome.refused] == [(unknown, "JOB_NOT_FOUND")]
    assert dealt_with == [(100, 103), (103, 103)]
    assert list(joblink.jobs(JobFilter(search=name))) == []


def test_a_job_at_work_is_cancelled_not_deleted_unless_by_force_and_its_file_runs_once_more(joblink: Any) -> None:
    id = joblink.upload_file(csv(60_000), "QUARTERLY").id
    with closing(joblink.watch(id, timeout=60)) as events:
        for event in events:
            if event.job.status == JobStatus.RUNNING:
                break
    active = refused(lambda: joblink.delete_job(id), ErrorCode.JOB_IN_PROGRESS)
    assert active.job is not None and active.job.status == JobStatus.RUNNING
    with pytest.raises(JoblinkError, match="in the time that was given"):
        joblink.wait_for(id, timeout=0)
    assert joblink.cancel_job(id, reason="a test", notes="of cancelling").status in ("CANCELLING", "CANCELLED")
    again = joblink.cancel_job(id)
    assert (again.cancellation.reason, again.cancellation.notes) == ("a test", "of cancelling")
    assert joblink.wait_for(id, timeout=60).status == JobStatus.CANCELLED

    retried = joblink.retry_job(id)
    assert retried.id != id
    assert joblink.delete_job(retried.id, force=True, delete_predictions=True).force
    joblink.delete_job(id, delete_predictions=True)

    done = refused(lambda: joblink.cancel_job(completed(joblink, 1).id), ErrorCode.INVALID_STATE)
    assert done.job is not None and done.job.status == JobStatus.COMPLETED


def test_under_one_key_a_file_makes_one_job(joblink: Any) -> None:
    source, key = csv(2), unique()
    first = joblink.upload_file(source, "QUARTERLY", idempotency_key=key)
    assert joblink.upload_file(source, "QUARTERLY", idempotency_key=key).id == first.id
    other = refused(lambda: joblink.upload_file(csv(2), "QUARTERLY", idempotency_key=key), ErrorCode.VALIDATION_FAILED)
    assert other.user_errors[0].field == ["input", "idempotencyKey"]


def test_a_file_that_is_none_is_refused_and_a_bad_argument_of_a_list_is_an_error(joblink: Any) -> None:
    refused(lambda: joblink.upload_file(b"nothing\n", "ANNUAL"), ErrorCode.INVALID_FILE)
    with pytest.raises(JoblinkError) as caught:
        list(joblink.jobs(page_size=101))
    assert caught.value.code == "BAD_USER_INPUT" and caught.value.request_id
    assert not isinstance(caught.value, UserErrors)
