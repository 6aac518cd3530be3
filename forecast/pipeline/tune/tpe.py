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
from pathlib import Path
from typing import Any

from forecast.pipeline.tune.candidates import key_of, random
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.space import Range, Space, label, settle

JOURNAL = "optuna.journal"
_SLOT = "slot"
_STARTUP = 4
"""Trials that are finished before one is held against their median."""
_STATES = {"done": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
"""A slot's states by Optuna's names."""
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
                trial = study.ask(distributions(self.space))
                if key_of(values := self._values(trial.params)) not in tried:
                    break
                study.tell(trial, state=TrialState.FAIL)
            else:
                drawn = random(self.space, count=len(tried) + 1, seed=self.seed)
                # A range may be too narrow for four digits to tell more values apart: one again.
                values = next((one for one in drawn if key_of(one) not in tried), values)
                study.enqueue_trial({name: label(value) for name, value in values.items()})
                trial = study.ask(distributions(self.space))
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
        from optuna.trial import TrialState

        open_, known = {}, set()
        for trial in study.get_trials(deepcopy=False):
            slot = trial.user_attrs.get(_SLOT)
            if trial.state == TrialState.RUNNING:
                open_[slot] = trial.number
            elif trial.state != TrialState.FAIL:
                known.add(slot)
        for number in range(self.trials):
            result = self.slots.result(number)
            if result is None or number in known:
                continue
            state = _STATES[result["state"]]
            if number in open_:
                value = result["value"] if state == "COMPLETE" else None
                study.tell(open_[number], value, state=TrialState[state])
            elif state != "FAIL":
                # The settings as they are may lie outside the space: it need not know of them.
                with suppress(ValueError):
                    study.add_trial(self._frozen(result, TrialState[state]))

    def _frozen(self, result: dict[str, Any], state: Any) -> Any:
        """A trial as Optuna keeps it."""
        from optuna.trial import create_trial

        folds = result["folds"]
        means = {done: sum(folds[:done]) / done for done in range(1, len(folds) + 1)}
        if result["state"] == "done":
            del means[len(folds)]
        return create_trial(
            state=state,
            params={name: label(value) for name, value in result["settings"].items()},
            distributions=distributions(self.space),
            value=result["value"],
            intermediate_values=means,
            user_attrs={_SLOT: result["trial"]},
        )

    @contextmanager
    def _study(self, number: int) -> Iterator[Any]:
        """The study, held by this process alone."""
        with self.slots.alone():
            path = self.slots.folder / JOURNAL
            _mend(path)
            try:
                study = self._read(path, number)
            except (ValueError, KeyError):
                # Damaged otherwise than by a kill: it is made up again from the slots.
                path.replace(path.with_suffix(".damaged"))
                study = self._read(path, number)
            yield study

    def _read(self, path: Path, number: int) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return optuna.create_study(
            study_name=self.slots.folder.name,
            storage=_storage(path),
            load_if_exists=True,
            # Another stream of numbers for each trial, whichever process makes it.
            sampler=optuna.samplers.TPESampler(seed=(self.seed + number) % 2**32),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=0),
        )

    def _values(self, params: dict[str, Any]) -> dict[str, Any]:
        """Optuna's parameters in the space's terms."""

        def one(name: str) -> Any:
            values = self.space[name]
            if isinstance(values, Range):
                return settle(values, params[name])
            return next(value for value in values if label(value) == params[name])

        return {name: one(name) for name in self.space if name in params}


def distributions(space: Space) -> dict[str, Any]:
    """The space as Optuna has it: choices by their labels."""
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

    return {name: one(values) for name, values in space.items()}


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
