"""Sends requests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from .._answer import check, data, read, unanswered
from .._api.base_model import BaseModel, UnsetType
from .._lines import Lines
from .._repeat import Bounds, Patience, async_sleep
from ..errors import JoblinkError

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

#: More than twice as long as the server is ever silent on a stream, in seconds: it sends a comment every 20 seconds.
SILENCE = 50.0
ACCEPT = "application/graphql-response+json, application/json"


def plain(value: Any) -> Any:
    """A variable as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True, mode="json")
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Transport:
    """Where the server is and how it is asked."""

    def __init__(
        self, url: str, token: str | Callable[[], str] | None, timeout: float, bounds: Bounds, http: httpx.AsyncClient
    ) -> None:
        base = httpx.URL(url)
        self._base = base.copy_with(raw_path=base.path.rstrip("/").removesuffix("/graphql").encode() + b"/")
        self._token = token
        self._timeout = timeout
        self._bounds = bounds
        self.http = http

    def address(self, path: str) -> httpx.URL:
        """An address of the server."""
        return self._base.copy_with(raw_path=self._base.raw_path + path.encode())

    def headers(self, **others: str) -> dict[str, str]:
        """The headers of a request, with the one that says who calls."""
        token = self._token() if callable(self._token) else self._token
        known = {} if token is None else {"authorization": f"Bearer {token}"}
        return {name.replace("_", "-"): value for name, value in others.items()} | known

    async def repeat(self, call: Callable[[], Awaitable[T]], is_repeatable: bool) -> T:
        """Calls until it works, as long as that is safe and within the bounds.

        After 429 always, after 503 and without an answer only where the call may be sent twice.
        """
        patience = Patience(self._bounds, is_repeatable)
        while True:
            try:
                return await call()
            except JoblinkError as error:
                pause = patience.pause(error)
            await async_sleep(pause)

    async def execute(
        self, query: str, operation_name: str, variables: dict[str, Any], *, is_repeatable: bool | None = None
    ) -> dict[str, Any]:
        """Executes a document; `is_repeatable` says that it may be sent twice, as queries always may."""
        url, body = self.address("graphql"), self._body(query, operation_name, variables)
        headers = self.headers(accept=ACCEPT, content_type="application/json")

        async def once() -> dict[str, Any]:
            try:
                response = await self.http.post(url, content=body, headers=headers, timeout=self._timeout)
            except httpx.HTTPError as cause:
                raise unanswered(url, cause) from cause
            return read(response)

        if is_repeatable is None:
            is_repeatable = query.lstrip().startswith("query")
        return await self.repeat(once, is_repeatable)

    async def execute_ws(
        self, query: str, operation_name: str, variables: dict[str, Any], *, silence: float = SILENCE
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The results of a subscription, by server-sent events; raises where the stream breaks off."""
        url, body = self.address("graphql"), self._body(query, operation_name, variables)
        headers = self.headers(accept="text/event-stream", content_type="application/json")
        timeout = httpx.Timeout(self._timeout, read=silence)
        try:
            async with self.http.stream("POST", url, content=body, headers=headers, timeout=timeout) as response:
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    await response.aread()
                    check(response)
                    message = "The server, or a proxy before it, did not answer with a stream of events."
                    raise JoblinkError("UNEXPECTED_ANSWER", message)
                lines = Lines()
                async for chunk in response.aiter_bytes():
                    for event, told in lines.take(chunk):
                        if event == "complete":
                            return
                        if event == "next":
                            yield data(json.loads(told))
        except httpx.HTTPError as cause:
            raise unanswered(url, cause) from cause
        raise JoblinkError("UNREACHABLE", "The server ended the stream of events, as when it stops; begin it again.")

    def get_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """What a document gave."""
        return data

    def shaped(self, kind: type[Model], data: dict[str, Any]) -> Model:
        """What a document gave, as its type."""
        try:
            return kind.model_validate(data)
        except ValidationError as cause:
            message = "The answer is not as this version of the package knows it; install the one that comes with the server."
            raise JoblinkError("UNEXPECTED_ANSWER", message) from cause

    def _body(self, query: str, operation_name: str, variables: dict[str, Any]) -> bytes:
        given = {name: plain(value) for name, value in variables.items() if not isinstance(value, UnsetType)}
        return json.dumps({"query": query, "operationName": operation_name, "variables": given}).encode()
