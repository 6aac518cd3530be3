"""The raw answer: whatever comes, it is a chart, no bars, or a typed fault."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import MalformedData
from forecast.market.sources.yahoo_chart import Fault, NoBars, check_meta, check_rows, read_chart

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    [
        "chart",
        "result",
        "error",
        "code",
        "description",
        "meta",
        "exchangeTimezoneName",
        "timestamp",
        "indicators",
        "quote",
        "adjclose",
        "open",
        "high",
        "low",
        "close",
        "volume",
    ]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner), max_leaves=25
)


@given(JSON, st.sampled_from([200, 400, 404, 422]))
def test_no_answer_escapes_its_type(document: object, status: int) -> None:
    for answer in (document, {"chart": {"result": [document]}}):
        try:
            chart = read_chart(status, json.dumps(answer).encode(), retry_after=None)
            check_meta(chart)
            check_rows(chart)
        except (Fault, NoBars):
            pass


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"null", b"[]", b'{"chart": null}', b"{", b"7"])
def test_what_is_no_chart_is_malformed(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_chart(200, body, retry_after=None)
    assert caught.value.kind is MalformedData


def test_retry_after_comes_as_seconds_or_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for header, low, high in (
        ("7", 7, 7),
        (in_a_minute, 50, 60),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0, 0),
    ):
        with pytest.raises(Fault) as caught:
            read_chart(429, b"", retry_after=header)
        assert low <= caught.value.retry_after <= high
    for header in (None, "", "soon", "-3", "9" * 400):
        with pytest.raises(Fault) as caught:
            read_chart(429, b"", retry_after=header)
        assert caught.value.retry_after is None
