"""The members: simple forecasters, all rows at once, each a level, a slope that may fade, and what repeats.

A member's path is ``level + slope * tau * (1 - exp(-k / tau)) + repeats(k)``, k steps ahead: tau = infinity is a straight
line, slope = (mean - level) / tau is a return to the mean, slope = 0 is (seasonal) persistence. Holding them in this
form makes a backtest at a few steps and a forecast of many steps the same computation.

Sources: Assimakopoulos and Nikolopoulos (2000), Int. J. Forecasting 16, 521-530 (theta: half the line's slope on a
smoothed level); Gardner and McKenzie (1985), Management Science 31, 1237-1246 (damped trend); Sen (1968), JASA 63.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from healthkit.forecasts.histories import one_turn, pick
from healthkit.forecasts.seasons import own_period, profile, without_spikes

if TYPE_CHECKING:
    from healthkit.forecasts.histories import Floats, Ints

FOREVER = 1e7
NAMES = (
    "naive",
    "seasonal naive",
    "smoothed .3",
    "smoothed .1",
    "mean",
    "recent mean",
    "drift",
    "line",
    "line half",
    "line quarter faded",
    "theta",
    "line without jumps",
    "quarter line without jumps",
    "median slope",
    "median slope third",
    "return to mean slow",
    "return to mean fast",
    "own period",
    "week of hours",
    "middle move quarter",
    "middle move eighth",
    "middle move twelfth",
    "middle move twenty-fourth",
    "middle move fortieth",
    "middle move of the newer half",
    "curve",
    "drift of the newer half",
    "line from the last value",
    "line since the turn",
)


@dataclass(frozen=True, slots=True)
class Members:
    """Parameters of every member for every row."""

    level: Floats
    """(rows, members)"""
    slope: Floats
    """(rows, members) per step"""
    tau: Floats
    """(rows, members) steps after which a slope has mostly faded"""
    ages: Floats
    """(rows, length) the history the repeating members look back into"""
    plain: Floats
    """(rows, length) the same without its season"""
    season: Floats
    """(rows, season) profile by age"""
    period: Ints
    """(rows,) each row's own period"""
    rise: Floats
    """(rows,) slope that the row's own period is carried along, per step"""


def width(spans: Ints, share: float, least: int = 6) -> Ints:
    """(rows,) *share* of each span, at least *least*, at most the span."""
    return np.minimum(np.maximum((spans * share).astype(np.int64), least), spans)


def at(table: Floats, index: Ints) -> Floats:
    """One column per row."""
    return pick(table, index[:, None])[:, 0]


@dataclass(frozen=True, slots=True)
class Sums:
    """Running sums over age, from which a line over any newest window is a few look-ups."""

    plain: Floats
    moment: Floats

    @classmethod
    def of(cls, ages: Floats) -> Sums:
        """Sums of *ages* (rows, length)."""
        return cls(np.cumsum(ages, axis=1), np.cumsum(ages * np.arange(ages.shape[1]), axis=1))

    def mean(self, w: Ints) -> Floats:
        """Mean of the newest *w* values."""
        return at(self.plain, w - 1) / w

    def line(self, w: Ints, skipped: Ints | None = None) -> tuple[Floats, Floats]:
        """Least-squares value at age 0 and slope per step over the newest *w* values, the *skipped* newest left out."""
        s0, s1 = at(self.plain, w - 1), at(self.moment, w - 1)
        middle = (w - 1) / 2
        if skipped is not None:
            s0, s1 = s0 - at(self.plain, skipped - 1), s1 - at(self.moment, skipped - 1)
            middle, w = (w - 1 + skipped) / 2, w - skipped
        slope = -(s1 - middle * s0) / np.maximum(w * (w * w - 1.0) / 12, 1e-300)
        return s0 / w + slope * middle, np.where(w > 1, slope, 0.0)


def median_slope(ages: Floats, w: Ints, blocks: int = 9) -> tuple[Floats, Floats]:
    """Median of the pairwise slopes between *blocks* block means of the newest *w* values, and the level it passes."""
    total = np.concatenate([np.zeros((len(ages), 1)), np.cumsum(ages, axis=1)], axis=1)
    edges = (w[:, None] * np.arange(blocks + 1)) // blocks
    sums = np.diff(pick(total, edges), axis=1)
    counts = np.diff(edges, axis=1)
    means = sums / np.maximum(counts, 1)
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1] - 1)
    i, j = np.triu_indices(blocks, 1)
    slopes = (means[:, i] - means[:, j]) / np.maximum(middles[:, j] - middles[:, i], 0.5)
    slope = np.sort(slopes, axis=1)[:, len(i) // 2]
    level = np.sort(means + slope[:, None] * middles, axis=1)[:, blocks // 2]
    return level, slope


def middle_move(ages: Floats, spans: Ints, lag: Ints, most: int = 120) -> Floats:
    """Median change over *lag* steps, per step: what most stretches of that length did, jumps or not.

    At most *most* stretches, evenly spread, are looked at.
    """
    count = np.maximum(np.minimum(spans - lag, most), 1)
    rank = np.arange(min(most, ages.shape[1]))
    newer = rank * np.maximum(spans - lag, 1)[:, None] // count[:, None]
    inside = rank < count[:, None]
    newer = np.where(inside, newer, 0)
    older = np.minimum(newer + lag[:, None], ages.shape[1] - 1)
    moves = np.sort(np.where(inside, pick(ages, newer) - pick(ages, older), np.inf), axis=1)
    return np.where(spans > lag, at(moves, (count - 1) // 2), 0.0) / np.maximum(lag, 1)


def curve(sums: Sums, spans: Ints) -> tuple[Floats, Floats]:
    """Slope at the end and tau of an exponential curve: the slope goes on growing or fading as it did half to half.

    A negative tau is growth that accelerates; where the halves go different ways, the newer one goes on.
    """
    half = width(spans, 0.5)
    newer, older = sums.line(half)[1], sums.line(spans, np.minimum(half, spans - 1))[1]
    both = newer * older > 0
    ratio = np.where(both, newer, 1.0) / np.where(both, older, 1.0)
    bend = np.clip(np.log(ratio), np.log(0.1), np.log(2.0)) / np.maximum(0.5 * spans, 1)
    tau = -1 / np.where(np.abs(bend) > 1 / FOREVER, bend, -1 / FOREVER)
    return newer * np.exp(0.25 * bend * spans), tau


def without_jumps(ages: Floats, spans: Ints) -> Floats:
    """The history with every step far larger than usual taken out, aligned to its newest value."""
    steps = ages[:, :-1] - ages[:, 1:]
    size = np.abs(steps)
    rank = np.clip(size.shape[1] - 1 - (0.2 * np.maximum(spans - 1, 1)).astype(np.int64), 0, size.shape[1] - 1)
    usual = at(np.sort(size, axis=1), rank)
    kept = np.where(size > 4 * usual[:, None], 0.0, steps)
    return np.concatenate([ages[:, :1], ages[:, :1] - np.cumsum(kept, axis=1)], axis=1)


def smoothed(ages: Floats, alpha: float) -> Floats:
    """Level of simple exponential smoothing, started at the oldest value."""
    length = ages.shape[1]
    weight = alpha * (1 - alpha) ** np.arange(length)
    weight[-1] = (1 - alpha) ** (length - 1)
    return np.asarray(np.einsum("rl,l->r", ages, weight))


def fit(rows: Floats, spans: Ints, season: int) -> Members:
    """Every member's parameters for *rows* (rows, length) in age order."""
    ages = without_spikes(rows, spans, season)
    seasonal = profile(ages, spans, season)
    length = ages.shape[1]
    age = np.arange(length)
    inside = age < spans[:, None]
    plain = ages - np.tile(seasonal, (1, length // seasonal.shape[1] + 1))[:, :length]
    plain = np.where(inside, plain, at(plain, spans - 1)[:, None])
    level, slope, tau = parameters(plain, spans)
    start, rise = (column[:, NAMES.index("line")] for column in (level, slope))
    rest = np.where(inside, plain - (start[:, None] - rise[:, None] * age), 0.0)
    return Members(level, slope, tau, ages, plain, seasonal, own_period(rest, spans)[0], rise)


def parameters(plain: Floats, spans: Ints) -> tuple[Floats, Floats, Floats]:
    """Level, slope and tau (rows, members), in the order of `NAMES`, from histories without season."""
    sums, calm = Sums.of(plain), Sums.of(without_jumps(plain, spans))
    full, half, quarter = (width(spans, share) for share in (1.0, 0.5, 0.25))
    last, zero, forever = plain[:, 0], np.zeros(len(plain)), np.full(len(plain), FOREVER)
    line, newer_line, newest_line = (sums.line(w) for w in (full, half, quarter))
    calm_line, calm_newest = (calm.line(w)[1] for w in (full, quarter))
    mean, recent = sums.mean(full), sums.mean(width(spans, 1 / 12, min(7, plain.shape[1])))
    ses3, turn = smoothed(plain, 0.3), one_turn(plain, spans)
    slow, fast = 0.2 * spans + 1, 0.03 * spans + 1
    moves = [middle_move(plain, spans, width(spans, share, 2)) for share in (1 / 4, 1 / 8, 1 / 12, 1 / 24, 1 / 40)]
    moves.append(middle_move(plain, half, width(spans, 1 / 12, 2)))
    table = [
        (last, zero, forever),
        (zero, zero, forever),
        (ses3, zero, forever),
        (smoothed(plain, 0.1), zero, forever),
        (mean, zero, forever),
        (recent, zero, forever),
        (last, (last - at(plain, full - 1)) / np.maximum(full - 1, 1), forever),
        (*line, forever),
        (*newer_line, forever),
        (*newest_line, 1.0 * quarter),
        (ses3, 0.5 * line[1], forever),
        (last, calm_line, forever),
        (last, calm_newest, 2.0 * quarter),
        (*median_slope(plain, width(spans, 1.0, 9)), forever),
        (*median_slope(plain, width(spans, 1 / 3, 9)), forever),
        (last, (mean - last) / slow, slow),
        (last, (recent - last) / fast, fast),
        (zero, zero, forever),
        (zero, zero, forever),
        *((last, move, forever) for move in moves),
        (newest_line[0], *curve(sums, spans)),
        (last, (last - at(plain, half - 1)) / np.maximum(half - 1, 1), forever),
        (last, line[1], forever),
        (turn.end, turn.slope, forever),
    ]
    level, slope, tau = (np.stack(column, axis=1) for column in zip(*table, strict=True))
    return level, slope, tau


def look_back(ages: Floats, period: Ints, steps: Ints, rise: Floats) -> Floats:
    """(rows, steps) the value one whole *period* (rows,) or more before each step, carried up by *rise* per step."""
    back = -(-steps // period[:, None]) * period[:, None]
    index = np.minimum(back - steps, ages.shape[1] - 1)
    return pick(ages, index) + rise[:, None] * back


def paths(members: Members, steps: Ints, spans: Ints, season: int) -> Floats:
    """(rows, members, steps) of every member, *steps* (n_steps,) ahead."""
    tau = members.tau[:, :, None]
    out = members.level[:, :, None] - members.slope[:, :, None] * tau * np.expm1(-steps / tau)
    size = members.season.shape[1]
    out += members.season[:, -steps % size][:, None, :]
    still = np.zeros(len(spans))
    own = np.where(members.period <= spans, members.period, 1)
    index = NAMES.index("own period")
    out[:, index] += look_back(members.plain, own, steps, members.rise)
    daily = np.minimum(season, spans)
    out[:, NAMES.index("seasonal naive")] = look_back(members.ages, daily, steps, still)
    week = 168 if season == 24 else season
    if members.ages.shape[1] < week + season:
        out[:, NAMES.index("week of hours")] = out[:, NAMES.index("seasonal naive")]
        return out
    usable = week + season <= spans
    shift = members.ages[:, :season].mean(axis=1) - members.ages[:, week : week + season].mean(axis=1)
    back = np.where(usable, week, daily)
    again = look_back(members.ages, back, steps, still) + np.where(usable, shift, 0.0)[:, None]
    out[:, NAMES.index("week of hours")] = again
    return out


def newest(members: Members, origins: int) -> Members:
    """The rows cut at the end, of members fitted to *origins* rows per series of which the first is that one."""
    return Members(*(getattr(members, field.name)[::origins] for field in fields(Members)))
