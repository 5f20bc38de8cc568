"""The servers that the tests talk to, files for them, and the two clients as one."""

from __future__ import annotations

import asyncio
import inspect
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from joblink import AsyncJoblink, Joblink

HEADER = (
    "company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,"
    "total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital"
)


def told(name: str) -> str:
    """A setting of the tests."""
    value = os.environ.get(name)
    assert value, f"{name} is missing: run tests/packages"
    return value


def unique() -> str:
    """A name that nothing else on the server has."""
    return f"t{uuid.uuid4().hex[:12]}"


def csv(rows: int, bad: int = 0) -> bytes:
    """Rows of quarterly figures, each of another company, and rows that cannot be stored."""
    prefix = unique().upper()
    good = [f"{prefix}{row},Company {row},Energy,1000000,2024,Q1,3.1,20.5,40.7,{row % 30}" for row in range(rows)]
    others = [f"{prefix}X{row},Company,Energy,1000000,2024,Q1,three,1,2,3" for row in range(bad)]
    return "\n".join([HEADER, *good, *others, ""]).encode()


class Awaited:
    """An asynchronous client that is used like the other one, so that one test tells of both."""

    def __init__(self, client: AsyncJoblink, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            result = getattr(self._client, name)(*args, **options)
            return self._loop.run_until_complete(result) if inspect.isawaitable(result) else self._each(result)

        return call

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(items.aclose())  # type: ignore[attr-defined]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients of either kind."""
    loop = asyncio.new_event_loop()
    closing: list[Callable[[], object]] = []

    def make(url: str, token: Any = None, **options: Any) -> Any:
        if request.param == "sync":
            client = Joblink(url, token, **options)
            closing.append(client.close)
            return client
        awaited = AsyncJoblink(url, token, **options)
        closing.append(lambda: loop.run_until_complete(awaited.aclose()))
        return Awaited(awaited, loop)

    yield make
    for close in closing:
        close()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def joblink(connect: Callable[..., Any]) -> Any:
    """A client of the server without login."""
    return connect(told("JOBLINK_URL"))


def completed(joblink: Any, rows: int, bad: int = 0) -> Any:
    """A job that has ended."""
    return joblink.wait_for(joblink.upload_file(csv(rows, bad), "QUARTERLY").id, timeout=60)
