"""Every forecast issued, recorded before its outcome is known, and how it turned out."""

from forecast.ledger.entries import Issue, IssuedStep
from forecast.ledger.frame import RECORD_COLUMNS, write_record
from forecast.ledger.record import Ledger, open_ledger
from forecast.ledger.settling import Settlement
from forecast.ledger.verifying import Examination, examine

__all__ = [
    "RECORD_COLUMNS",
    "Examination",
    "Issue",
    "IssuedStep",
    "Ledger",
    "Settlement",
    "examine",
    "open_ledger",
    "write_record",
]
