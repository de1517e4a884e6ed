"""What the width of an interval depends on: scales of the series, of its backtest and of its forecast, as logarithms.

Source: Lo and MacKinlay (1988), Rev. Financial Studies 1, 41-66 (how far a series moves over lags of different length
tells a random walk from noise around a line).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from healthkit.forecasts.histories import Changes, Floats, Ints, moves, pick

FEATURES = (
    "log step",
    "log step / horizon",
    "its square",
    "log span / step",
    "log reach of the backtest / step",
    "error near",
    "error far",
    "error far x log step / horizon",
    "middle error",
    "large error",
    "worst error",
    "disagreement",
    "steps grown like a random walk",
    "move over an eighth of the span",
    "move over a third of the span",
    "move over seven steps",
    "share of steps without change",
    "quiet since, against the step",
    "recent steps",
    "size of the value",
    "unevenness of moves over a twelfth of the span",
    "unevenness of moves over a quarter of the span",
    "naive error far",
    "share of the three largest steps",
    "line or one step",
    "since that step, against the step ahead",
    "turn or one step",
    "since that turn, against the step ahead",
    "large error that way",
    "mean error that way",
    "largest step that way",
    "the one step that way",
    "the line since the turn that way",
    "the line since the turn the other way",
    "change that way",
    "change the other way",
    "room that way",
    "room the other way",
)
TINY = 1e-4


def log(scale: Floats) -> Floats:
    """Logarithm of a scale, bounded below: a ten-thousandth of the spread is nothing."""
    return np.asarray(np.log(scale + TINY))


def mean_where(values: Floats, weight: Floats, otherwise: Floats) -> Floats:
    """Weighted mean over all but the first axis; *otherwise* where nothing weighs."""
    total = weight.sum(axis=(1, 2))
    return np.where(total > 0, (values * weight).sum(axis=(1, 2)) / np.maximum(total, 1e-300), otherwise)


def ranked(values: Floats, known: Floats, shares: tuple[float, ...], otherwise: Floats) -> list[Floats]:
    """Empirical quantiles over all but the first axis of what is *known*."""
    flat = np.sort(np.where(known, values, np.inf).reshape(len(values), -1), axis=1)
    count = known.sum(axis=(1, 2))
    out = []
    for share in shares:
        index = np.maximum(np.ceil(share * count).astype(np.int64) - 1, 0)
        out.append(np.where(count > 0, pick(flat, index[:, None])[:, 0], otherwise))
    return out


@dataclass(frozen=True, slots=True)
class Scene:
    """A chunk as the intervals see it, scaled."""

    mean: Floats
    """(n, n_steps) the combined path at *steps*, relative to the last value."""
    spread: Floats
    """(n, n_steps) weighted disagreement of the members."""
    residuals: Floats
    """(n, origins, n_knots) actual minus combined path of the backtest, NaN = not known."""
    knots: Ints
    """(n_knots,) steps ahead of *residuals*."""
    steps: Ints
    """(n_steps,) steps ahead to describe."""
    ages: Floats
    """(n, length) history in age order."""
    spans: Ints
    """(n,) length of each history."""
    moved: Changes
    """How the history moves."""
    level: Floats
    """(n,) distance of the last value from zero."""
    naive: Floats
    """(n, origins, n_knots) actual minus the value at the origin, NaN = not known."""
    bounds: Floats
    """(2, n) what no value can be below and above, infinite = no bound."""


def features(scene: Scene) -> Floats:
    """(2, n, n_steps, features): below and above the mean."""
    shared = [*of_backtest(scene), *of_history(scene)]
    out = np.empty((2, *scene.mean.shape, len(FEATURES)))
    for side, sign in enumerate((-1, 1)):
        columns = [*shared, *of_side(scene, sign)]
        out[side] = np.stack([np.broadcast_to(column, scene.mean.shape) for column in columns], axis=-1)
    return out


def of_backtest(scene: Scene) -> list[Floats]:
    """Steps and horizon, and how wrong the combined path was from the rolling origins."""
    typical = scene.moved.typical
    known = np.isfinite(scene.residuals)
    size = np.where(known, np.abs(scene.residuals), 0.0)
    knots, steps = scene.knots, scene.steps
    root = np.sqrt(knots / knots[-1])
    blind = typical * np.sqrt(knots[-1])
    near = mean_where(size, known / knots, typical)
    far = mean_where(size / root, known * root, blind)
    reach = np.where(known, knots, 0).max(axis=(1, 2))
    step = np.log(steps / knots[-1])
    return [
        np.log(steps),
        step,
        step**2,
        np.log(scene.spans[:, None] / steps),
        np.log((reach[:, None] + 1) / steps),
        log(near)[:, None],
        log(far)[:, None],
        log(far)[:, None] * step,
        *(log(scale)[:, None] for scale in ranked(size / root, known, (0.5, 0.8, 1.0), blind)),
    ]


def of_history(scene: Scene) -> list[Floats]:
    """Disagreement of the members, and how the series itself moves."""
    spans, steps, moved, typical = scene.spans, scene.steps, scene.moved, scene.moved.typical
    count, size = np.maximum(spans - 1, 1), np.abs(moved.each)
    newest = np.maximum(spans // 8, 1)
    recent = pick(np.cumsum(size, axis=1), np.minimum(newest, count)[:, None] - 1)[:, 0] / newest
    lags = (newest, np.maximum(spans // 3, 1), np.minimum(7, count))
    known = np.isfinite(scene.naive)
    root = np.sqrt(scene.knots / scene.knots[-1])
    largest = np.partition(size, -3, axis=1)[:, -3:]
    return [
        log(scene.spread),
        log(typical[:, None] * np.sqrt(steps)),
        *(log(moves(scene.ages, spans, lag))[:, None] for lag in lags),
        np.log(moved.still + 0.02)[:, None],
        np.log((moved.quiet[:, None] + 1) / steps),
        log(recent)[:, None],
        np.log1p(scene.level)[:, None],
        log(unevenness(scene.ages, spans, np.maximum(spans // 12, 1)))[:, None],
        log(unevenness(scene.ages, spans, np.maximum(spans // 4, 1)))[:, None],
        log(
            mean_where(
                np.where(known, np.abs(scene.naive), 0.0) / root, known * root, typical * np.sqrt(scene.knots[-1])
            )
        )[:, None],
        log(largest.sum(axis=1) / np.maximum(moved.path, 1e-300))[:, None],
        moved.line_or_step[:, None],
        np.log(moved.step.age[:, None] / steps),
        moved.turn_or_step[:, None],
        np.log(moved.turn.age[:, None] / steps),
    ]


def of_side(scene: Scene, sign: int) -> list[Floats]:
    """What differs below (*sign* -1) and above (1) the mean."""
    known = np.isfinite(scene.residuals)
    root = np.sqrt(scene.knots / scene.knots[-1])
    blind = scene.moved.typical * np.sqrt(scene.knots[-1])
    turn = scene.moved.turn
    line = turn.end[:, None] + turn.slope[:, None] * scene.steps
    turned = np.clip(line, *scene.bounds[:, :, None]) - scene.mean
    that = np.where(known, np.maximum(sign * scene.residuals, 0.0), 0.0) / root
    return [
        log(ranked(that, known, (0.8,), blind)[0])[:, None],
        log(mean_where(that, known * root, blind))[:, None],
        log(np.maximum(sign * scene.moved.each, 0).max(axis=1))[:, None],
        log(np.maximum(sign * scene.moved.step.size, 0))[:, None],
        *(log(np.maximum(way * turned, 0)) for way in (sign, -sign)),
        log(np.maximum(sign * scene.mean, 0)),
        log(np.maximum(-sign * scene.mean, 0)),
        *(room(scene, way) for way in (sign, -sign)),
    ]


def room(scene: Scene, way: int) -> Floats:
    """(n, n_steps) log distance from the mean to the bound below (-1) or above (1), far away where there is none."""
    bound = scene.bounds[(way + 1) // 2][:, None]
    return np.asarray(np.log(np.clip(way * (bound - scene.mean), 1e-3, 1e2)))


def unevenness(ages: Floats, spans: Ints, lag: Ints, most: int = 60) -> Floats:
    """(n,) median distance of the moves over *lag* steps from their median, *most* of them looked at."""
    count = np.maximum(np.minimum(spans - lag, most), 1)
    rank = np.arange(most)
    inside = rank < count[:, None]
    newer = np.where(inside, rank * np.maximum(spans - lag, 1)[:, None] // count[:, None], 0)
    older = np.minimum(newer + lag[:, None], ages.shape[1] - 1)
    moved = pick(ages, np.minimum(newer, ages.shape[1] - 1)) - pick(ages, older)
    at = (count[:, None] - 1) // 2
    middle = pick(np.sort(np.where(inside, moved, np.inf), axis=1), at)
    away = np.sort(np.where(inside, np.abs(moved - middle), np.inf), axis=1)
    return np.where(spans > lag, pick(away, at)[:, 0], 0.0)
