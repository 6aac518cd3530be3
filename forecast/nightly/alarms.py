"""What has drifted since a ticker's champion was trained."""

from __future__ import annotations

import pandas as pd

from forecast.evaluation.drift import Drift, drift, record_drift
from forecast.features.inputs import Inputs, feature_rows
from forecast.ledger.scores import outcomes_of
from forecast.market.fetching import Fetched
from forecast.registry import SavedRun


def alarms_of(champion: SavedRun, fetched: Fetched, record: pd.DataFrame) -> list[str]:
    """Sentences about what drifted, none if all is well.

    Args:
        champion: The run that serves.
        fetched: The ticker's bars.
        record: Its track record, as from `Ledger.track_record`.

    Raises:
        ForecastError: if the champion's inputs cannot be read, or there are too few bars.
    """
    ticker = fetched.ticker
    # As the live scores have it: a price that the vendor corrected is no fault of the forecast.
    record = record.assign(actual=outcomes_of(record))
    document = champion.document(ticker)
    if document is None or ticker not in champion.inputs:
        # A run over other tickers has no training part of this one to compare its inputs with.
        return Drift(record_drift(record)).alarms
    inputs = Inputs.from_document(champion.inputs[ticker]["inputs"])
    features = feature_rows(fetched.bars, inputs.feature_names, ticker=ticker)
    until = pd.Timestamp(document["split"]["train"]["last"])
    return drift(features, record, trained_until=until).alarms
