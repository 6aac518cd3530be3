"""Every setting: its default, what it may be, and how a text becomes its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from forecast.errors import ConfigError, UnknownTicker
from forecast.evaluation.backtest import TRADES
from forecast.evaluation.walk_forward import SCHEMES
from forecast.features.targets import CLASSES, TARGETS
from forecast.files import expanded
from forecast.market.bars import check_ticker
from forecast.market.findings import Thresholds
from forecast.market.sessions import check_exchange
from forecast.market.sources import check_source
from forecast.market.storage import LOCAL
from forecast.networks.architectures import NETWORKS, OUTPUT_STEPS
from forecast.networks.devices import PRECISIONS
from forecast.networks.heads import heads_for
from forecast.networks.heads.classes import CLASS_WEIGHTS
from forecast.networks.seq2seq import CONTEXTS

_HERE = ("localhost", "127.0.0.1", "::1")


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _day(value: Any) -> Any:
    if isinstance(value, str | int | float):  # pydantic would take a number for seconds since 1970
        try:
            return date.fromisoformat(str(value))
        except ValueError as error:
            raise ValueError("must be a date as YYYY-MM-DD") from error
    return value


def _one_of(value: str, choices: Iterable[str]) -> str:
    if value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return value


def _known(choices: Iterable[str]) -> AfterValidator:
    return AfterValidator(partial(_one_of, choices=choices))


def _checked(check: Callable[[str], str]) -> AfterValidator:
    """As `check` judges, whose own message and hint are told."""

    def judged(value: str) -> str:
        try:
            return check(value)
        except ConfigError as error:
            raise ValueError(error.message) from error

    return AfterValidator(judged)


def _ticker(value: str) -> str:
    try:
        return check_ticker(value)
    except UnknownTicker as error:
        hint = 'tickers = ["AAPL", "MSFT"] in forecast.toml, or FORECAST_NIGHTLY__TICKERS=AAPL,MSFT'
        raise ConfigError(error.message, hint=hint) from error


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_USUAL = Thresholds()


class Quality(_Table):
    """When something about a history counts as odd; `market.findings.Thresholds` says what each is.

    Sizes in robust standard deviations, log returns, sessions and fractions.
    """

    jump: float = Field(_USUAL.jump, gt=0)
    jump_floor: float = Field(_USUAL.jump_floor, ge=0)
    flat_run: int = Field(_USUAL.flat_run, ge=2)
    few_sessions: int = Field(_USUAL.few_sessions, ge=0)
    stale_sessions: int = Field(_USUAL.stale_sessions, ge=0)
    rounding: float = Field(_USUAL.rounding, ge=0, lt=0.01)


def webhook_refusal(url: str) -> str | None:
    """Why no alert can be posted to an address, without any part of it; None where one can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "the webhook's address cannot be read"
    if host and (parts.scheme == "https" or (parts.scheme == "http" and host in _HERE)):
        return None
    return "the webhook's address must begin with https://, or http:// on this machine"


RETRAIN = ("nightly", "weekly", "monthly", "drift")


class Nightly(_Table):
    """What `forecast nightly` does unattended; `docs/nightly.md` says what each is.

    Minutes, runs, processes, gigabytes, GPUs, and shares of a loss.
    """

    tickers: Annotated[tuple[Annotated[str, _checked(_ticker)], ...], BeforeValidator(_split)] = ()
    at: str | None = Field(None, pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")
    retrain: Annotated[str, _known(RETRAIN)] = "nightly"
    margin: float = Field(0.005, ge=0, lt=1)
    level: float = Field(0.05, gt=0, lt=1)
    band: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]],
        BeforeValidator(_split),
    ] = (0.7, 0.9)
    deadline: float = Field(480.0, gt=0, le=10_080)
    keep_runs: int = Field(10, ge=1)
    workers: int | None = Field(None, ge=1)
    memory: float = Field(1.5, gt=0)
    gpus: float = Field(0.0, ge=0)
    webhook: str | None = None

    @field_validator("band")
    @classmethod
    def _possible_band(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("the lowest share must be below the highest")
        return value

    @field_validator("webhook")
    @classmethod
    def _possible_webhook(cls, value: str | None) -> str | None:
        if not value:
            return None
        if refusal := webhook_refusal(value):
            raise ValueError(refusal)
        return value


def _choices(value: Any) -> Any:
    # pydantic would name each of the types that the value is not.
    if not isinstance(value, list | tuple | str | None):
        raise ValueError('must be a list of values, or a range such as "0..0.4"')
    return value


Choices = Annotated[tuple[Any, ...] | str | None, BeforeValidator(_choices)]
"""A list of values, a range such as `"0.0001..0.01 log"`, or not searched."""


class Space(_Table):
    """What `tune` searches: the settings of the network; `docs/tuning.md` says how to write it."""

    network: Choices = None
    units: Choices = None
    lookback: Choices = None
    features: Choices = None
    dropout: Choices = None
    l2: Choices = None
    learning_rate: Choices = None
    batch: Choices = None
    patience: Choices = None


class Tune(_Table):
    """How `forecast tune` searches, beside its flags.

    Folds of the walk-forward validation, trials.
    """

    folds: int = Field(3, ge=2, le=20)
    trials: int = Field(20, ge=1, le=1000)
    space: Space = Space()


class Settings(_Table):
    """Everything a user may choose; the defaults are what `train` uses.

    Sessions are trading days; rates are fractions.
    """

    source: Annotated[str, _checked(check_source)] = "auto"
    store: str | None = None
    exchange: Annotated[str, _checked(check_exchange)] | None = None
    start: Annotated[date | None, BeforeValidator(_day)] = None
    keep_snapshots: int = Field(10, ge=1)
    quality: Quality = Quality()
    network: Annotated[str, _known(NETWORKS)] = "lstm"
    outputs: str | None = None
    context: Annotated[str, _known(CONTEXTS)] = "every"
    units: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], BeforeValidator(_split)] = (
        64,
        64,
    )
    lookback: int = Field(60, ge=2, le=2000)
    horizon: int = Field(1, ge=1, le=250)
    target: Annotated[str, _known(TARGETS)] = "return"
    head: str | None = None
    class_weight: Annotated[str, _known(CLASS_WEIGHTS)] = "none"
    features: Annotated[tuple[str, ...] | None, BeforeValidator(_split)] = None
    dropout: float = Field(0.1, ge=0, lt=1)
    l2: float = Field(0.0, ge=0, le=10)
    learning_rate: float | None = Field(None, gt=0, le=1)
    batch: int | None = Field(None, ge=1, le=65_536)
    epochs: int = Field(100, ge=1, le=100_000)
    patience: int = Field(10, ge=1, le=100_000)
    seed: int = Field(7, ge=0, lt=2**32)
    precision: Annotated[str, _known(PRECISIONS)] = "float32"
    embedding: int = Field(0, ge=0, le=256)
    balanced: bool = False
    tensorboard: bool = False
    folds: int = Field(5, ge=2, le=100)
    seeds: int = Field(3, ge=1, le=100)
    scheme: Annotated[str, _known(SCHEMES)] = "expanding"
    trade: Annotated[str, _known(TRADES)] = "open"
    cost: float = Field(5.0, ge=0, le=1000)
    nightly: Nightly = Nightly()
    tune: Tune = Tune()

    @field_validator("outputs")
    @classmethod
    def _possible_outputs(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        network = info.data.get("network")
        if value == "every" and network is not None and not NETWORKS[network].causal:
            able = ", ".join(name for name, kind in NETWORKS.items() if kind.causal)
            raise ValueError(
                f"{network} sees later rows, so only its last step can be trained on; every step "
                f"takes one of {able}"
            )
        return _one_of(value, OUTPUT_STEPS)

    @field_validator("units")
    @classmethod
    def _a_layer_at_least(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value:
            raise ValueError("must hold the width of each layer, of one at least, such as 64,64")
        return value

    @field_validator("head")
    @classmethod
    def _fitting_head(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or "target" not in info.data:
            return value
        target = info.data["target"]
        fitting = heads_for(target)
        if value not in fitting:
            raise ValueError(f"for the target {target} it must be one of {', '.join(fitting)}")
        return value

    def data(self, home: Path) -> str | Path:
        """Where the bars are: `data`, or the setting `store`, in which a path begins at `home`.

        Raises:
            ConfigError: if it begins with a `~` and names a user that is not known here.
        """
        if not self.store:
            return home / "data"
        scheme, apart, path = self.store.partition("://")
        if apart and scheme not in LOCAL:
            return self.store
        return home / expanded(path if apart else self.store, what="store")

    @property
    def head_name(self) -> str:
        """The head asked for, or else the target's own."""
        return self.head or heads_for(self.target)[0]

    def require_prices(self) -> None:
        """Refuse a target of classes for nights, which know forecasts of prices alone.

        Raises:
            ConfigError: saying what to do instead.
        """
        if self.target in CLASSES:
            raise ConfigError(
                f"forecast nightly needs forecasts of prices: setting 'target' must be return or "
                f"price. Received {self.target!r}.",
                hint='target = "return" in forecast.toml (or FORECAST_TARGET=return); or '
                f"forecast train TICKER, which scores a {self.target}",
            )
