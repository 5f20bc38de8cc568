"""What a real server does not do when asked: a small one that does as it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from joblink import DeletionInterrupted, JoblinkError

JSON = "application/graphql-response+json"


class Answer:
    """What a request is answered with; without a status the connection is closed."""

    def __init__(self, status: int, body: Any, retry_after: str | None = None, kind: str = JSON, hangs: bool = False) -> None:
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body)
        self.headers = {"content-type": kind} | ({} if retry_after is None else {"retry-after": retry_after})
        self.hangs = hangs


class Server:
    """Answers each request by the next of its answers, and the last one ever after."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.asked: list[bytes] = []
        self.paths: list[tuple[str, str | None]] = []
        self.over = Event()
        told = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Says nothing."""

            def do_POST(self) -> None:
                told.answer(self, answers[min(len(told.asked), len(answers) - 1)])

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler, answer: Answer) -> None:
        """Reads a request and answers it."""
        self.paths.append((request.path, request.headers["authorization"]))
        if request.headers["transfer-encoding"] == "chunked":
            body = b""
            while size := int(request.rfile.readline(), 16):
                body += request.rfile.read(size)
                request.rfile.readline()
            request.rfile.readline()
        else:
            body = request.rfile.read(int(request.headers["content-length"]))
        self.asked.append(body)
        request.close_connection = True
        if answer.hangs:
            self.over.wait(60)
        if not answer.status or answer.hangs:
            return
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("connection", "close")
        request.end_headers()
        request.wfile.write(answer.body.encode())

    def close(self) -> None:
        """Ends it."""
        self.over.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers."""
    servers: list[Server] = []

    def start(*answers: Answer) -> Server:
        servers.append(Server(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def wrong(code: str) -> dict[str, Any]:
    """An answer that is an error."""
    return {"errors": [{"message": f"It is {code}.", "extensions": {"code": code, "requestId": "r1"}}]}


def limited(after: str) -> Answer:
    """Too many requests."""
    return Answer(429, wrong("RATE_LIMITED"), after)


def job(status: str, processed: int = 0) -> dict[str, Any]:
    """A job as the server gives it."""
    nothing = dict.fromkeys(
        ("fileSize", "errorMessage", "createdAt", "startedAt", "finishedAt", "createdBy", "organization", "cancellation", "hold")
    )
    can = dict.fromkeys(("cancel", "delete", "forceDelete", "hold", "retry"), True)
    progress = {"total": 9, "processed": processed, "succeeded": processed, "failed": 0}
    named = {"id": "j", "kind": "ANNUAL", "status": status, "origin": "JOBLINK", "fileName": "f.csv"}
    return nothing | named | {"progress": progress, "can": can, "artifacts": []}


HANG_UP = Answer(0, "")
BUSY = Answer(503, wrong("DATABASE_BUSY"), "0")
NOBODY = Answer(200, {"data": {"viewer": None}})
CANCELLED = Answer(200, {"data": {"cancelJob": {"job": job("CANCELLED"), "userErrors": []}}})
HELD = Answer(200, {"data": {"holdJob": {"job": job("COMPLETED"), "userErrors": []}}})
DONE = Answer(200, {"data": {"deleteJobs": {"receipts": [], "refused": [], "userErrors": []}}})


def standing(status: str, processed: int = 0) -> Answer:
    """How a job stands."""
    return Answer(200, {"data": {"job": job(status, processed)}})


def event(status: str, processed: int) -> str:
    """An event of a stream."""
    at = "2026-03-05T09:47:23Z"
    told = {"type": "STATUS", "jobId": "j", "at": at, "job": job(status, processed)}
    return f"event: next\ndata: {json.dumps({'data': {'jobEvents': told}})}\n\n"


def stream(text: str) -> Answer:
    """A stream of events, which then breaks off."""
    return Answer(200, text, kind="text/event-stream")


def failing(call: Callable[[], object]) -> JoblinkError:
    """The error that a call must end with."""
    with pytest.raises(JoblinkError) as caught:
        call()
    return caught.value


Connect = Callable[..., Any]
Serve = Callable[..., Server]


def test_after_429_every_call_waits_as_long_as_it_is_told_and_is_sent_again(connect: Connect, serve: Serve) -> None:
    server = serve(limited("1"), HELD)
    began = time.monotonic()
    assert connect(server.url).hold_job("j", "why").id == "j"
    assert time.monotonic() - began >= 1
    assert len(server.asked) == 2 and server.asked[0] == server.asked[1]


def test_a_wait_beyond_the_bound_is_not_begun(connect: Connect, serve: Serve) -> None:
    server = serve(limited("3600"))
    error = failing(connect(server.url).viewer)
    assert (error.code, error.status, error.retry_after, error.request_id) == ("RATE_LIMITED", 429, 3600, "r1")
    assert len(server.asked) == 1
    dated = failing(connect(serve(limited(formatdate(time.time() + 3600, usegmt=True))).url).viewer)
    assert dated.retry_after is not None and dated.retry_after > 3500


def test_attempts_are_bounded(connect: Connect, serve: Serve) -> None:
    server = serve(limited("0"))
    assert failing(connect(server.url, attempts=3).viewer).code == "RATE_LIMITED"
    assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [BUSY, HANG_UP], ids=["busy", "hang-up"])
def test_only_what_may_be_done_twice_is_sent_again(connect: Connect, serve: Serve, trouble: Answer) -> None:
    queries = serve(trouble, NOBODY)
    assert connect(queries.url).viewer() is None
    assert len(queries.asked) == 2
    cancellations = serve(trouble, CANCELLED)
    assert connect(cancellations.url).cancel_job("j").id == "j"
    assert len(cancellations.asked) == 2
    changes: list[Callable[[Any], object]] = [
        lambda client: client.delete_job("j"),
        lambda client: client.delete_jobs(["j"]),
        lambda client: client.retry_job("j"),
        lambda client: client.hold_job("j", "why"),
        lambda client: client.release_job_hold("j"),
    ]
    for change in changes:
        server = serve(trouble, HELD)
        client = connect(server.url)
        error = failing(lambda change=change, client=client: change(client))  # type: ignore[misc]
        assert error.code == ("DATABASE_BUSY" if trouble is BUSY else "UNREACHABLE")
        assert len(server.asked) == 1


def test_an_upload_is_sent_again_with_the_same_key(connect: Connect, serve: Serve) -> None:
    made = Answer(200, {"data": {"createJob": {"job": job("PENDING"), "userErrors": []}}})
    server = serve(BUSY, Answer(201, {"uploadId": "u1"}), BUSY, made)
    assert connect(server.url).upload_file(b"a,b\n1,2\n", "ANNUAL").id == "j"
    assert server.asked[:2] == [b"a,b\n1,2\n"] * 2
    assert server.asked[2] == server.asked[3]
    given = json.loads(server.asked[2])["variables"]["input"]
    assert given == {"kind": "ANNUAL", "source": {"uploadId": "u1"}, "idempotencyKey": "u1"}


def test_deletions_that_come_to_a_halt_say_how_far_they_came(connect: Connect, serve: Serve) -> None:
    ids = [f"j{number}" for number in range(250)]
    cases: list[tuple[Answer, list[str], list[str]]] = [
        (HANG_UP, ids[100:200], ids[200:]),
        (Answer(401, wrong("UNAUTHENTICATED")), [], ids[100:]),
    ]
    for trouble, uncertain, untouched in cases:
        server = serve(DONE, trouble)
        client = connect(server.url)
        error = failing(lambda client=client: client.delete_jobs(ids))  # type: ignore[misc]
        assert isinstance(error, DeletionInterrupted) and isinstance(error.__cause__, JoblinkError)
        assert (list(error.uncertain), list(error.untouched)) == (uncertain, untouched)
        assert len(server.asked) == 2


def test_what_is_not_there_or_is_not_joblink_or_does_not_answer_is_said(connect: Connect, serve: Serve) -> None:
    gone = failing(connect("http://127.0.0.1:1", attempts=1).viewer)
    assert gone.code == "UNREACHABLE"
    assert gone.message == "Cannot reach http://127.0.0.1:1; check the url, and that the server runs."
    page = failing(connect(serve(Answer(502, "<h1>Bad gateway</h1>", kind="text/html")).url).viewer)
    assert (page.code, page.status) == ("UNEXPECTED_ANSWER", 502) and "answered with HTTP 502" in page.message
    silent = serve(Answer(200, "", hangs=True))
    assert failing(connect(silent.url, timeout=0.05, attempts=1).viewer).code == "TIMEOUT"


def test_what_this_version_does_not_know_is_said(connect: Connect, serve: Serve) -> None:
    client = connect(serve(standing("SOMETHING_NEW")).url)
    error = failing(lambda: client.job("j"))
    assert error.code == "UNEXPECTED_ANSWER" and "this version of the package" in error.message


def test_where_streams_do_not_get_through_a_job_is_looked_at_until_it_has_ended(connect: Connect, serve: Serve) -> None:
    none = Answer(404, {})
    server = serve(standing("RUNNING", 1), none, standing("RUNNING", 2), none, standing("COMPLETED", 9))
    seen = [told.job.progress.processed for told in connect(server.url).watch("j")]
    assert seen == [1, 2, 9] and len(server.asked) == 5


def test_a_stream_that_breaks_off_is_begun_again_and_nothing_is_told_twice(connect: Connect, serve: Serve) -> None:
    broken = stream(":\n\n" + event("RUNNING", 1) + event("RUNNING", 2))
    # Lines may end otherwise.
    whole = stream(event("RUNNING", 3).replace("\n", "\r\n") + event("COMPLETED", 9))
    server = serve(standing("RUNNING", 1), broken, standing("RUNNING", 2), whole)
    assert [told.job.progress.processed for told in connect(server.url).watch("j")] == [1, 2, 3, 9]


def test_a_look_that_says_what_is_wrong_ends_a_watch(connect: Connect, serve: Serve) -> None:
    told = stream(f"event: next\ndata: {json.dumps(wrong('UNAUTHENTICATED'))}\n\n")
    client = connect(serve(standing("RUNNING", 1), told, Answer(401, wrong("UNAUTHENTICATED"))).url)
    assert failing(lambda: client.wait_for("j")).code == "UNAUTHENTICATED"


def test_a_stream_of_all_jobs_that_breaks_off_is_an_error(connect: Connect, serve: Serve) -> None:
    client = connect(serve(stream(event("RUNNING", 1))).url)
    with closing(client.events()) as events:
        assert next(events).job_id == "j"
        assert failing(lambda: next(events)).code == "UNREACHABLE"


def test_a_job_that_does_not_end_in_time_is_left(connect: Connect, serve: Serve) -> None:
    client = connect(serve(standing("RUNNING", 1), Answer(404, {}), standing("RUNNING", 1)).url)
    assert failing(lambda: client.wait_for("j", timeout=0.3)).code == "TIMEOUT"


def test_the_address_may_be_that_of_graphql_and_have_a_path_before_it(connect: Connect, serve: Serve) -> None:
    server = serve(NOBODY)
    for address in ("", "/", "/graphql", "/graphql/", "/some/where"):
        connect(server.url + address, "t").viewer()
    assert server.paths == [("/graphql", "Bearer t")] * 4 + [("/some/where/graphql", "Bearer t")]
