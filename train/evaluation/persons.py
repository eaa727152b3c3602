"""Many persons together: for how many it works beyond chance, and by how much, with the person as the unit.

Every test of a person counts dates, never recordings, which of one date are alike. With many persons some tests come
out by chance: p values are adjusted for that (Benjamini and Hochberg, J. R. Stat. Soc. B 57(1), 1995).
"""

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control, permutation_test

from edge_ecg.results import CohortResult, Difference, FailureKind, Failures, MixedEffects, PersonResult, PersonTests
from train.evaluation.folds import SEE_NO_ECG

FALSE_DISCOVERIES = 0.05  # the share of false ones among all that are found, on average at most
FEWEST_PERSONS = 3  # for a model with the person as a random effect


def better_p(right: dict[str, int], other_right: dict[str, int]) -> float:
    """One-sided p that a method is not right more often than another one on the same dates.

    By date, the difference of recordings right; its sign is as likely either way if neither is better.
    """
    more = np.array([right[date] - other_right[date] for date in sorted(right)], float)
    if not more.any():
        return 1.0
    tested = permutation_test((more,), np.mean, permutation_type="samples", alternative="greater", rng=0)
    return float(tested.pvalue)


def beats_all_p(found: PersonResult, ours: str, baselines: Sequence[str]) -> float:
    """The p that ours does not beat every one of a person's own baselines: the largest of the single ones.

    An intersection-union test (R. L. Berger, Technometrics 24(4), 1982): it needs no correction for their number.
    """
    right = found.methods[ours].right_by_date
    return max(better_p(right, found.methods[name].right_by_date) for name in baselines)


def best_of(found: PersonResult, names: Sequence[str]) -> str:
    """The method that is right most often, the one with the larger AUC among equals."""

    def rank(name: str) -> tuple[int, float]:
        scores = found.methods[name]
        return scores.recordings.right, scores.auc or 0.0

    return max(names, key=rank)


def adjusted(p: Sequence[float]) -> list[float]:
    """p values that may be held against the rate of false discoveries."""
    return [float(value) for value in false_discovery_control(p)] if len(p) else []


def pool_persons(
    persons: Sequence[PersonResult],
    ours: str,
    rivals: Sequence[str],
    name: str = "",
    plan: dict[str, Any] | None = None,
) -> CohortResult:
    """For how many persons there is an effect and for how many ours beats the rivals, with the p values by person.

    Rivals that see no ECG are not beaten or not: for how many persons one is better, is counted apart. Persons without
    figures take no part; they are counted. name, plan: of the study.
    """
    judged = [found for found in persons if ours in found.methods]
    # What sees the same in all recordings of a person is no baseline of theirs.
    own = [[name for name in rivals if name in f.methods and name not in SEE_NO_ECG] for f in judged]
    given_away = [
        found.person
        for found in judged
        if best_of(found, [ours, *(name for name in SEE_NO_ECG if name in found.methods)]) != ours
    ]
    effect = adjusted([found.methods[ours].permutation_p for found in judged])
    better = adjusted([beats_all_p(f, ours, names) if names else 1.0 for f, names in zip(judged, own, strict=True)])
    by_person = {
        found.person: PersonTests(
            effect_p_adjusted=p,
            better_p_adjusted=better_p,
            best_benchmark=best_of(found, names) if names else None,
        )
        for found, p, better_p, names in zip(judged, effect, better, own, strict=True)
    }
    return CohortResult(
        name=name,
        ours=ours,
        plan=plan or {},
        persons=len(persons),
        judged=len(judged),
        false_discoveries=FALSE_DISCOVERIES,
        with_effect=tuple(found.person for found, p in zip(judged, effect, strict=True) if p <= FALSE_DISCOVERIES),
        better=tuple(found.person for found, p in zip(judged, better, strict=True) if p <= FALSE_DISCOVERIES),
        given_away=tuple(given_away),
        by_person=by_person,
        mixed=mixed_effects(judged, ours),
        failures=failures(persons),
    )


def mixed_effects(judged: Sequence[PersonResult], ours: str) -> MixedEffects | str:
    """The share of recordings right by method, the person as a random intercept, each method against ours.

    A linear mixed model by statsmodels (REML); shares near 1 have less room above than below, so that its intervals
    are a summary and no test. A text says why there is none.
    """
    try:
        import pandas as pd
        from statsmodels.formula.api import mixedlm
    except ImportError:
        return "it needs statsmodels: pip install -e '.[cohort]' in the clone"
    rows = [
        (found.person, name, scores.recordings.accuracy) for found in judged for name, scores in found.methods.items()
    ]
    table = pd.DataFrame(rows, columns=["person", "method", "right"])
    if len(judged) < FEWEST_PERSONS or table["method"].nunique() < 2 or table["right"].nunique() < 2:
        return f"it needs {FEWEST_PERSONS} persons with figures, two methods, and some difference"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at its limit is reported below
        fitted = mixedlm(f"right ~ C(method, Treatment({ours!r}))", table, groups=table["person"]).fit()
    intervals = fitted.conf_int()
    named = {name: re.search(r"\[T\.(.*)\]$", name) for name in fitted.fe_params.index}
    values = [*fitted.fe_params, *fitted.bse_fe, float(fitted.cov_re.iloc[0, 0])]
    if not np.isfinite(values).all():
        return "the model can't be fitted to these figures"
    return MixedEffects(
        ours=float(fitted.fe_params.iloc[0]),
        ours_95=within(_interval(intervals.iloc[0]), float(fitted.fe_params.iloc[0]), 0.0, 1.0),
        against_ours={
            match[1]: Difference(
                difference=float(fitted.fe_params[name]),
                difference_95=within(_interval(intervals.loc[name]), float(fitted.fe_params[name]), -1.0, 1.0),
            )
            for name, match in named.items()
            if match
        },
        sd_of_persons=float(np.sqrt(max(0.0, fitted.cov_re.iloc[0, 0]))),
        sd_within=float(np.sqrt(fitted.scale)),
        converged=bool(fitted.converged),
    )


def within(interval: tuple[float, float], estimate: float, least: float, most: float) -> tuple[float, float]:
    """An interval cut to what a share, or a difference of shares, can be; it always has its estimate inside.

    A normal interval knows no bounds. Cutting off what can't be leaves its coverage as it is.
    """
    low, high = interval
    return min(max(low, least), estimate), max(min(high, most), estimate)


def _interval(row: Any) -> tuple[float, float]:
    low, high = (float(value) for value in row)
    return low, high


def failures(persons: Sequence[PersonResult]) -> Failures:
    """Failed persons by step and reason, and medians of facts about them and the others."""
    failed = [found for found in persons if found.reason]
    kinds = Counter((found.step, re.sub(r"\d+", "#", found.reason or "")) for found in failed)
    groups = {"failed": failed, "finished": [found for found in persons if not found.reason]}
    facts = sorted({fact for found in persons for fact in found.facts})
    return Failures(
        kinds=tuple(FailureKind(step=step, reason=why, persons=many) for (step, why), many in kinds.most_common()),
        medians={
            fact: {
                group: float(np.median(known)) if (known := [f.facts[fact] for f in some if f.facts]) else None
                for group, some in groups.items()
            }
            for fact in facts
        },
    )
