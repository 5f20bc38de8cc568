"""What an answer of the server says."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Any

import httpx

from .errors import JoblinkError

#: What a status says where the answer itself says nothing, as one of a proxy.
CODES = {
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    413: "PAYLOAD_TOO_LARGE",
    429: "RATE_LIMITED",
    503: "UNAVAILABLE",
}


def retry_after(response: httpx.Response) -> float | None:
    """How long a response wants its caller to wait: seconds or a date (RFC 9110, 10.2.3)."""
    told = response.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None


def data(answer: dict[str, Any], response: httpx.Response | None = None) -> dict[str, Any]:
    """The data of a GraphQL answer; raises its first error."""
    for error in answer.get("errors") or []:
        extensions = error.get("extensions") or {}
        told = None if response is None else response.headers.get("x-request-id")
        raise JoblinkError(
            extensions.get("code", "UNEXPECTED_ANSWER"),
            error.get("message", "The server answered with an error without a message."),
            request_id=extensions.get("requestId", told),
            status=None if response is None else response.status_code,
            retry_after=None if response is None else retry_after(response),
        )
    found = answer.get("data")
    if not isinstance(found, dict):
        raise JoblinkError("UNEXPECTED_ANSWER", "The server answered with neither data nor an error.")
    return found


def read(response: httpx.Response) -> dict[str, Any]:
    """The data of a response to a GraphQL request, whose body has been read."""
    try:
        answer = response.json()
    except (JSONDecodeError, UnicodeDecodeError):
        answer = None
    if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
        raise stranger(response)
    return data(answer, response)


def check(response: httpx.Response) -> None:
    """Raises where a response, whose body has been read, is no success."""
    if not response.is_success:
        read(response)
        raise stranger(response)


def stranger(response: httpx.Response) -> JoblinkError:
    """The error that a response stands for whose text is no GraphQL answer."""
    code = CODES.get(response.status_code, "UNEXPECTED_ANSWER")
    origin = str(response.url.copy_with(raw_path=b"/")).rstrip("/")
    message = f"The server at {origin} answered with HTTP {response.status_code} and no reason; check that it is Joblink's."
    return JoblinkError(code, message, status=response.status_code, retry_after=retry_after(response))


def unanswered(url: httpx.URL, cause: httpx.HTTPError) -> JoblinkError:
    """There is no answer."""
    origin = str(url.copy_with(raw_path=b"/", username=None, password=None)).rstrip("/")
    if isinstance(cause, httpx.ConnectTimeout | httpx.ConnectError) or not isinstance(cause, httpx.TimeoutException):
        return JoblinkError("UNREACHABLE", f"Cannot reach {origin}; check the url, and that the server runs.")
    message = f"{origin} did not answer in time; whether it did what was asked is unknown."
    return JoblinkError("TIMEOUT", message)
