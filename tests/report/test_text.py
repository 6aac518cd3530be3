from forecast.report.fetch_text import fetch_lines
from forecast.report.forecast_text import forecast_lines
from forecast.report.text import P_VALUE, shown
from forecast.report.track_record_text import ledger_lines

STEP = {
    "step": 1,
    "session": "2013-03-04",
    "predicted": 1.1003,
    "p05": 1.0911,
    "p10": 1.0931,
    "p90": 1.1069,
    "p95": 1.1092,
    "probability_up": 0.52,
}
DOCUMENT = {
    "ticker": "EURUSD=X",
    "network": "lstm",
    "target": "return",
    "origin": "2013-03-01",
    "last_close": 1.0999,
    "source": "yahoo",
    "run": "a",
    "in_training": True,
    "steps": [STEP],
    "plot": None,
}


def of_size(size):
    prices = {name: STEP[name] * size for name in ("predicted", "p05", "p10", "p90", "p95")}
    return DOCUMENT | {"last_close": DOCUMENT["last_close"] * size, "steps": [STEP | prices]}


def test_a_forecast_has_the_decimals_that_tell_its_band_apart():
    heading, _, _, row, _ = forecast_lines(DOCUMENT)
    assert "last close 1.100 " in heading
    assert row.split("  ", 1)[1].split() == [
        "1.100",
        "1.093",
        "–",
        "1.107",
        "1.091",
        "–",
        "1.109",
        "52%",
    ]
    *_, row, _ = forecast_lines(of_size(1.5e-5))
    assert row.split()[1:5] == ["0.00001650", "0.00001640", "–", "0.00001660"]
    *_, row, _ = forecast_lines(of_size(400))
    assert row.split()[1:5] == ["440.12", "437.24", "–", "442.76"]


def test_the_ledger_shows_prices_as_the_forecast_did():
    entry = {
        **{"ticker": "EURUSD=X", "networks": ["lstm"], "issued": 1, "first": "2013-03-01"},
        **{"last": "2013-03-01", "runs": 1, "settled": 1, "pending": 0, "void": 0, "corrected": 0},
        **{"scores": [], "plot": "p.png"},
        "newest": [STEP | {"origin": "2013-03-01", "actual": 1.0964, "inside_80": True}]
    }  # fmt: skip
    entry["newest"][0]["corrected"] = False
    record = {"ledger": "l", "entries": 1, "head": "h", "problems": [], "export": None, "all": []}
    text = "\n".join(ledger_lines(record | {"tickers": [entry]}))
    assert "1.100  1.093 – 1.107  1.096  inside" in text


def test_a_small_p_is_never_zero():
    assert [shown(p, P_VALUE) for p in (0.0004, 0.0171, 0.83, None)] == [
        *("< 0.001", "0.017", "0.83", "–")
    ]


def test_a_figure_that_is_rounded_to_zero_has_no_minus():
    assert [shown(value, "{:+.2%}") for value in (-1e-6, 1e-6, -1e-3)] == [
        "+0.00%", "+0.00%", "-0.10%",
    ]  # fmt: skip


def test_a_finding_names_the_first_sessions_that_it_concerns():
    entry = {
        "ticker": "AAPL",
        "status": "updated",
        "source": "yahoo",
        "sessions": 1200,
        "first": "2022-01-03",
        "last": "2026-11-20",
        "change": "split",
        "error": None,
        "findings": [
            {"severity": "warn", "did": "a split of 4; kept", "sessions": ["2026-11-19"]},
            {"severity": "warn", "did": "5 sessions: no bar; left out", "sessions": list("abcde")},
            {"severity": "warn", "did": "no session has a volume; kept", "sessions": []},
        ],
    }
    assert fetch_lines([entry]) == [
        "AAPL  updated  1,200 sessions  2022-01-03 to 2026-11-20  yahoo  split",
        "      warn: a split of 4; kept (2026-11-19)",
        "      warn: 5 sessions: no bar; left out (a, b, c, …)",
        "      warn: no session has a volume; kept",
    ]
