"""The search that learns from its trials: Optuna's tree of Parzen estimators, with pruning.

Source: J. Bergstra et al. (2011), Algorithms for Hyper-Parameter Optimization.

Optuna's journal in the study's folder is the sampler's memory and nothing else: which trials there
are, and what came of them, is in the slots. What the journal lacks is made up from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forecast.errors import ConfigError
from forecast.pipeline.tune.candidates import key_of, random
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.space import Range, Space, label, settle

JOURNAL = "optuna.journal"
_SLOT = "slot"
_STARTUP = 4
"""Trials that are finished before one is held against their median."""
_ASKS = 50
"""Settings asked for until some come that were not tried; then they are drawn."""


@dataclass(frozen=True)
class Tpe:
    """A search through Optuna, shared by all processes of a study.

    Attributes:
        slots: Of the study.
        space: Searched.
        own: The settings as they are: trial 0.
        trials: How many there are.
        seed: Of what is drawn, together with the trial's number.
    """

    slots: Slots
    space: Space
    own: dict[str, Any]
    trials: int
    seed: int
    _open: dict[int, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(
        cls, slots: Slots, space: Space, own: dict[str, Any], *, trials: int, seed: int
    ) -> Tpe:
        """The search of a study.

        Raises:
            ConfigError: if Optuna is not installed.
        """
        if find_spec("optuna") is None:
            raise ConfigError(
                "--search tpe needs the optuna package. It is not installed.",
                hint="pip install 'forecast[tune]', or --search random",
            )
        return cls(slots, space, own, trials, seed)

    def settings(self, number: int) -> dict[str, Any]:
        """The values to try; what a process that died left behind in this slot is marked failed."""
        if number == 0:
            return self.own
        with self._study(number) as study:
            self._catch_up(study)
            from optuna.trial import TrialState

            for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
                if trial.user_attrs.get(_SLOT, number) == number:
                    study.tell(trial.number, state=TrialState.FAIL)
            tried = {key_of(self.own)}
            tried |= {
                key_of(self._values(trial.params))
                for trial in study.get_trials(deepcopy=False)
                if trial.state != TrialState.FAIL and trial.user_attrs.get(_SLOT, number) != number
            }
            for _ in range(_ASKS):
                trial = study.ask(self._distributions())
                if key_of(values := self._values(trial.params)) not in tried:
                    break
                study.tell(trial, state=TrialState.FAIL)
            else:
                drawn = random(self.space, count=len(tried) + 1, seed=self.seed)
                unseen = next(one for one in drawn if key_of(one) not in tried)
                study.enqueue_trial({name: label(value) for name, value in unseen.items()})
                trial = study.ask(self._distributions())
                values = unseen
            trial.set_user_attr(_SLOT, number)
            self._open[number] = trial
            return values

    def hopeless(self, number: int, losses: list[float]) -> bool:
        """Whether the mean so far is above the median of the other trials at this fold."""
        if number not in self._open:
            return False
        with self._study(number):
            trial = self._open[number]
            trial.report(sum(losses) / len(losses), len(losses))
            return bool(trial.should_prune())

    def learn(self, number: int, result: dict[str, Any]) -> None:
        """Tell the sampler what came of the trial."""
        with self._study(number) as study:
            self._catch_up(study)
        self._open.pop(number, None)

    def _catch_up(self, study: Any) -> None:
        """Tell the sampler of every finished trial that its journal does not know as finished."""
        from optuna.trial import TrialState, create_trial

        states = {
            "done": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "failed": TrialState.FAIL,
        }
        running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        for trial in running:
            number = trial.user_attrs.get(_SLOT)
            result = self.slots.result(number) if number is not None else None
            if result is not None:
                value = result["value"] if result["state"] == "done" else None
                study.tell(trial.number, value, state=states[result["state"]])
        known = {trial.user_attrs.get(_SLOT) for trial in study.get_trials(deepcopy=False)}
        result = self.slots.result(0)
        if 0 not in known and result is not None and result["state"] == "done":
            means = [sum(result["folds"][:n]) / n for n in range(1, len(result["folds"]))]
            # The settings as they are may lie outside the space; then the sampler need not know.
            with suppress(ValueError):
                study.add_trial(
                    create_trial(
                        params={name: label(value) for name, value in self.own.items()},
                        distributions=self._distributions(),
                        value=result["value"],
                        intermediate_values=dict(enumerate(means, start=1)),
                        user_attrs={_SLOT: 0},
                    )
                )

    @contextmanager
    def _study(self, number: int) -> Iterator[Any]:
        """The study, held by this process alone."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.slots.alone():
            path = self.slots.folder / JOURNAL
            _mend(path)
            yield optuna.create_study(
                study_name=self.slots.folder.name,
                storage=_storage(path),
                load_if_exists=True,
                # Another stream of numbers for each trial, whichever process makes it.
                sampler=optuna.samplers.TPESampler(seed=(self.seed + number) % 2**32),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=0),
            )

    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        def one(values: tuple[Any, ...] | Range) -> Any:
            if not isinstance(values, Range):
                return CategoricalDistribution([label(value) for value in values])
            if values.whole:
                return IntDistribution(int(values.low), int(values.high), log=values.log)
            return FloatDistribution(values.low, values.high, log=values.log)

        return {name: one(values) for name, values in self.space.items()}

    def _values(self, params: dict[str, Any]) -> dict[str, Any]:
        """Optuna's parameters in the space's terms."""

        def one(name: str) -> Any:
            values = self.space[name]
            if isinstance(values, Range):
                return settle(values, params[name])
            return next(value for value in values if label(value) == params[name])

        return {name: one(name) for name in self.space if name in params}


def importance(space: Space, results: list[dict[str, Any]]) -> dict[str, float]:
    """How much of the spread of the losses each setting explains, adding up to 1.

    Empty without Optuna, or with too few trials to tell.
    """
    done = [one for one in results if one["state"] == "done"]
    if find_spec("optuna") is None or len(done) < _FEWEST:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    search = Tpe(Slots(Path()), space, {}, 0, 0)
    for one in done:
        # The settings as they are may lie outside the space.
        with suppress(ValueError):
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: label(value) for name, value in one["settings"].items()},
                    distributions=search._distributions(),
                    value=one["value"],
                )
            )
    if len(study.trials) < _FEWEST:
        return {}
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except RuntimeError:
        # All losses are the same.
        return {}
    return {name: float(share) for name, share in found.items()}


_FEWEST = 8
"""Trials from which on an importance is more than chance."""


def _storage(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    class Held(JournalFileSymlinkLock):
        """The study's own lock is held: Optuna's would outlive a process that is killed."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            return None

    return JournalStorage(JournalFileBackend(str(path), lock_obj=Held(str(path))))


def _mend(path: Path) -> None:
    """Cut off half a line that a process left that died while writing."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            file.flush()
            os.fsync(file.fileno())
