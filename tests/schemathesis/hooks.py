"""What Schemathesis cannot know of this API: real ids to ask for, and which refusals a valid document may meet."""

import json
import os
import urllib.request

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

URL = os.environ["JOBLINK_URL"]

# Refusals of valid documents: values that no type can rule out, such as `first` beside `last`, or a page too large.
REFUSALS = {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX", "FORBIDDEN"}
# Those that are found as early as a wrong type: generated documents know neither.
EARLY = ("a text without NUL characters", "exactly one of its fields must be given")


def ask(query):
    request = urllib.request.Request(
        URL, json.dumps({"query": query}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["data"]


def real_ids():
    data = ask(
        """{
          jobs { nodes { id artifacts { id } createdBy { id } } }
          annualPredictions(first: 3) { nodes { id company { id } } }
          deletionReceipts { nodes { id jobId } }
        }"""
    )

    def walk(value):
        if isinstance(value, dict):
            for key, inside in value.items():
                if key in ("id", "jobId"):
                    yield inside
                else:
                    yield from walk(inside)
        elif isinstance(value, list):
            for inside in value:
                yield from walk(inside)

    return sorted(set(walk(data)))


strangers = st.one_of(st.uuids().map(str), st.text(max_size=40), st.integers(-9, 9).map(str))
schemathesis.graphql.scalar("ID", st.one_of(st.sampled_from(real_ids()), strangers).map(nodes.String))
schemathesis.graphql.scalar(
    "DateTime", st.datetimes().map(lambda time: nodes.String(time.isoformat(timespec="milliseconds") + "Z"))
)
schemathesis.graphql.scalar("Duration", st.sampled_from(["never", "12h", "7d", "4000d"]).map(nodes.String))


@schemathesis.hook
def after_call(context, case, response):
    """Judges the errors of an answer, and takes out those that are as promised: what is left, Schemathesis reports."""
    if case.meta and case.meta.generation.mode.is_negative:
        return  # It must be refused.
    payload = response.json()
    left = [error for error in payload.get("errors", []) if not promised(error)]
    payload.pop("errors", None)
    if left:
        payload["errors"] = left
    elif "data" not in payload:
        payload["data"] = None
    response.content = json.dumps(payload).encode()


def promised(error):
    """A known code, the request's id, and one sentence."""
    extensions, message = error.get("extensions", {}), error["message"]
    return (
        (extensions.get("code") in REFUSALS or any(rule in message for rule in EARLY))
        and extensions.get("requestId")
        and message.endswith(".")
        and "\n" not in message
    )
