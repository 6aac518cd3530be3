import numpy as np
import pandas as pd

from forecast.evaluation.ranking import OF_PRICES, which_network
from forecast.evaluation.scores import losses_by_origin

Z = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def frame_of(models, *, origins=400, seed=3):
    """Forecasts of a 1 % walk; `models`: how much too wide, and how much of the move is known."""
    rng = np.random.default_rng(seed)
    sessions = pd.bdate_range("2010-01-04", periods=origins + 1)
    returns = rng.normal(0, 0.01, origins)
    close = 100 * np.exp(np.r_[0.0, np.cumsum(returns)])
    parts = []
    for name, (factor, skill) in models.items():
        said = close[:-1] * np.exp(skill * returns)
        spread = 0.01 * factor * np.exp(rng.normal(0, 0.05, origins))
        quantiles = close[:-1, None] * np.exp(spread[:, None] * Z)
        parts.append(
            pd.DataFrame(
                {
                    "ticker": "XYZ",
                    "origin": sessions[:-1],
                    "step": 1,
                    "session": sessions[1:],
                    "model": name,
                    "predicted": said,
                    **dict(zip(QUANTILES, quantiles.T, strict=True)),
                    "actual": close[1:],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


BASELINES = {"last_close": (1.6, 0.0), "ewma": (1.1, 0.0), "garch": (1.15, 0.0)}


def skills_of(networks, skills=(0.01, 0.01)):
    index = pd.MultiIndex.from_product(
        [list(networks), range(len(skills))], names=["network", "seed"]
    )
    return pd.Series(np.tile(skills, len(networks)), index=index)


def ask(frame, networks, *, skills=None, step=1):
    """Of each network one seed unless told otherwise: so only the forecasts tell them apart."""
    return which_network(
        losses_by_origin(frame, step=step, loss="pinball"),
        losses_by_origin(frame, step=step, loss="squared"),
        ruler=OF_PRICES,
        reference="last_close",
        networks=list(networks),
        step=step,
        skills=skills_of(networks, skills=(0.01,)) if skills is None else skills,
    )


def answer(networks, **options):
    return ask(frame_of({**networks, **BASELINES}, **options), networks)


def test_equal_networks_are_said_to_be_equal():
    found = answer({"lstm": (1.0, 0.0), "gru": (1.0, 0.0), "bilstm": (1.001, 0.0)})
    assert set(found.plausible) == {"lstm", "gru", "bilstm"}
    assert found.plausible[0] == found.best
    assert "no network is distinguishable from" in found.text
    assert "no network differs by more than chance" in found.finding
    assert "No network forecasts the price itself better than last close (no test)." in found.text


def test_a_clearly_better_network_is_named():
    found = answer({"lstm": (2.5, 0.0), "gru": (1.0, 0.0)})
    assert (found.best, found.plausible) == ("gru", ["gru"])
    assert found.text.startswith("Take gru")
    assert "distinguishable" not in found.text
    # Too wide by a tenth costs about 0.5 %, which 400 forecasts hardly show.
    assert "best baseline: gru's loss is" in found.text
    assert "below that of ewma" in found.text


def test_a_network_is_worse_only_if_its_seeds_are_too():
    networks = {"lstm": (2.5, 0.0), "gru": (1.0, 0.0)}
    frame = frame_of({**networks, **BASELINES})
    skills = skills_of(networks)
    # Means 0.03 apart; the standard error is 0.0071 or 0.02.
    skills[:] = [0.01, 0.02, 0.04, 0.05]
    assert ask(frame, networks, skills=skills).plausible == ["gru"]
    skills[:] = [0.00, 0.03, 0.02, 0.07]
    found = ask(frame, networks, skills=skills)
    assert found.plausible == ["gru", "lstm"]
    assert "or two standard errors over the seeds" in found.text


def test_the_worse_ones_are_told_from_the_equal_ones():
    found = answer({"lstm": (1.0, 0.0), "gru": (1.0, 0.0), "bigru": (3.0, 0.0)})
    assert set(found.plausible) == {"lstm", "gru"}
    assert "bigru is worse" in found.text


def test_a_baseline_that_is_better_is_said_to_be():
    found = answer({"lstm": (2.5, 0.0)})
    assert "ewma needs no network and is better" in found.text
    assert "Only lstm was compared" in found.text


def test_a_baseline_that_never_errs_has_no_share():
    frame = frame_of({"lstm": (1.0, 0.0), **BASELINES})
    sure = ["predicted", *QUANTILES]
    rows = frame["model"] != "lstm"
    frame["actual"] = frame.groupby("origin")["predicted"].transform("first")
    frame.loc[rows, sure] = frame.loc[rows, ["actual"] * len(sure)].to_numpy()
    found = ask(frame, ["lstm"])
    assert "lstm's loss is above that of last_close" in found.text
    assert "nan" not in found.text


def test_a_gain_on_few_outcomes_that_do_not_overlap_is_told_with_caution():
    frame = frame_of({"lstm": (1.0, 0.3), **BASELINES})
    assert "do not overlap" not in ask(frame, ["lstm"]).text
    found = ask(frame.assign(step=10), ["lstm"], step=10)
    assert found.price.networks == ["lstm"]
    assert found.text.endswith(
        "Only 40 of these outcomes do not overlap: with so few, gains look clear more often than "
        "they should."
    )
    none = ask(frame_of({"lstm": (2.5, 0.0), **BASELINES}).assign(step=10), ["lstm"], step=10)
    assert "do not overlap" not in none.text


def test_a_price_skill_is_named_and_luck_is_not():
    found = answer({"lstm": (1.0, 0.3), "gru": (1.0, 0.0)})
    assert "forecast better than last close by lstm (p < 0.001)." in found.text


def test_the_price_counts_how_many_were_tried():
    """What is news for one network is none for thirty."""
    networks = {f"n{number}": (1.0, 0.0) for number in range(30)}
    frame = frame_of({**networks, **BASELINES}, origins=150)
    rng = np.random.default_rng(5)
    for name in networks:
        # Forecasts of nothing, each its own: the luckiest looks as if it knew something.
        rows = (frame["model"] == name).to_numpy()
        frame.loc[rows, "predicted"] *= np.exp(rng.normal(0, 0.0001, rows.sum()))
    squared = (frame["actual"] - frame["predicted"]) ** 2
    luckiest = squared.groupby(frame["model"]).mean().loc[list(networks)].idxmin()
    assert f"better than last close by {luckiest}" in ask(frame, [luckiest]).text
    assert "No network" in ask(frame, list(networks)).text


def test_a_gain_over_the_baselines_is_clear_only_where_it_is():
    poor = {"last_close": (2.5, 0.0), "ewma": (2.0, 0.0)}
    networks = {"lstm": (1.0, 0.0), "gru": (1.0, 0.0), "tcn": (2.5, 0.0)}
    clear = ask(frame_of({**networks, **poor}), networks).text
    assert "ewma (p < 0.001, the best of 3 having been picked): a gain that is clear for " in clear
    assert "tcn is worse" in clear
    found = ask(frame_of({**networks, **poor}), networks)
    assert (found.uncertainty.than, set(found.uncertainty.networks)) == ("ewma", {"lstm", "gru"})
    assert (found.price.than, found.price.networks) == ("last_close", [])
    assert (
        "p < 0.001): a gain that is clear for lstm."
        in ask(frame_of({"lstm": (1, 0), **poor}), ["lstm"]).text
    )
    # Of the same width as ewma's, with other noise: nothing to be found.
    assert "no clear difference" in answer({"lstm": (1.1, 0.0)}).text


def test_the_luck_of_the_seed_stands_beside_the_networks_distance():
    networks = {"lstm": (1.0, 0.0), "gru": (1.0, 0.0)}
    frame = frame_of({**networks, **BASELINES})
    skills = skills_of(networks)
    skills[:] = [0.01, 0.03, 0.04, 0.06]
    found = ask(frame, networks, skills=skills)
    # Two pairs 0.02 apart have a deviation of 0.0141 each; their means lie 0.03 apart.
    assert "skill by ± 1.41 points; the networks’ means lie 3.00 points apart." in found.text
    # An erratic network that is worse anyway does not speak for the others.
    networks |= {"tcn": (3.0, 0.0)}
    skills = pd.concat([skills, skills_of(["tcn"], skills=(-0.9, -0.5))])
    skills.index.names = ["network", "seed"]
    found = ask(frame_of({**networks, **BASELINES}), networks, skills=skills)
    assert found.plausible == ["gru", "lstm"] or found.plausible == ["lstm", "gru"]
    assert "Among the former the luck of the seed alone moves" in found.text
    assert "± 1.41 points; their means lie 3.00 points apart." in found.text
    alone = ask(frame, networks, skills=skills_of(networks, skills=(0.01,)))
    assert "luck" not in alone.text


def test_ties_are_all_plausible_however_alike():
    frame = frame_of({"lstm": (1.0, 0.0), **BASELINES})
    twin = frame[frame["model"] == "lstm"].assign(model="gru")
    frame = pd.concat([frame, twin], ignore_index=True)
    found = ask(frame, ["lstm", "gru"])
    assert set(found.plausible) == {"lstm", "gru"}
