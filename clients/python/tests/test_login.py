"""Tokens, tenants and limits, on a server with login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from joblink import ErrorCode, Joblink, JoblinkError

from .conftest import completed, told
from .test_jobs import refused


@pytest.fixture
def own(connect: Callable[..., Any]) -> Any:
    """An administrator's client."""
    return connect(told("JOBLINK_JWT_URL") + "/graphql", told("JOBLINK_TOKEN"))


def test_a_token_says_who_calls_and_may_be_asked_for_each_time(connect: Callable[..., Any], own: Any) -> None:
    assert own.viewer().role == "ORG_ADMIN"
    later = connect(told("JOBLINK_JWT_URL"), lambda: told("JOBLINK_TOKEN"))
    assert later.viewer().user.name == "User one"


def test_without_a_good_token_nothing_is_answered(connect: Callable[..., Any]) -> None:
    for token in (None, "nonsense"):
        client = connect(told("JOBLINK_JWT_URL"), token)
        calls = (
            lambda client=client: list(client.jobs()),
            lambda client=client: client.upload_file(b"x", "ANNUAL"),
            lambda client=client: list(client.events()),
        )
        for call in calls:
            with pytest.raises(JoblinkError) as caught:
                call()
            assert (caught.value.code, caught.value.status) == ("UNAUTHENTICATED", 401)
            assert caught.value.request_id


def test_another_organizations_job_looks_as_if_it_did_not_exist(connect: Callable[..., Any], own: Any) -> None:
    job = completed(own, 1)
    stranger = connect(told("JOBLINK_JWT_URL"), told("JOBLINK_FOREIGN_TOKEN"))
    assert stranger.job(job.id) is None
    for call in (lambda: stranger.delete_job(job.id, force=True), lambda: stranger.cancel_job(job.id)):
        assert refused(call, ErrorCode.JOB_NOT_FOUND).job is None
    with pytest.raises(JoblinkError, match="Job not found"):
        stranger.wait_for(job.id)
    with pytest.raises(JoblinkError) as caught:
        stranger.download(job.artifacts[0])
    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)
    outcome = stranger.delete_jobs([job.id])
    assert [(refusal.error.code, refusal.job) for refusal in outcome.refused] == [("JOB_NOT_FOUND", None)]
    own.delete_job(job.id)
    assert stranger.receipt(job.id) is None


def test_a_hold_forbids_deleting_for_administrators_to_lift(own: Any) -> None:
    id = completed(own, 1).id
    assert own.hold_job(id, "an audit").hold.reason == "an audit"
    refused(lambda: own.delete_job(id, force=True), ErrorCode.JOB_ON_HOLD)
    assert own.release_job_hold(id).hold is None
    own.delete_job(id, delete_predictions=True)


def test_who_asks_too_often_is_held_up_and_served() -> None:
    statuses: list[int] = []
    hooks = {"response": [lambda response: statuses.append(response.status_code)]}
    with httpx.Client(event_hooks=hooks) as http:
        eager = Joblink(told("JOBLINK_STRICT_URL"), told("JOBLINK_FOREIGN_TOKEN"), http=http)
        for _ in range(6):
            viewer = eager.viewer()
            assert viewer is not None and viewer.role == "MEMBER"
    assert statuses.count(200) == 6 and statuses.count(429) > 0
