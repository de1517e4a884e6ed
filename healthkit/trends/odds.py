"""How the explanations of a series are weighed against each other before it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from healthkit.trends.noises import Floats, Noises


@dataclass(frozen=True)
class Odds:
    """Logarithms of weights, that come on top of the prior of the noises; `constants.ODDS` has those in use."""

    phi: Floats
    """Coefficients of AR(1) noise, ascending, for which `noise` and `noise_beside` are given."""
    noise: Floats
    """Of each where there is no step: the greater, the more easily such noise is taken for one."""
    noise_beside: Floats
    """Of each where there is a step."""
    white: float
    """Of noise of which a part is white, where there is no step."""
    white_beside: float
    """The same where there is a step."""
    lines: Floats
    """Of nothing, each of `explanations.LINES`, and a line of any size."""
    both: float
    """Of a step beside a line against a step alone."""
    steps: Floats
    """Lengths of series, ascending, for which `passes` is given."""
    passes: Floats
    """What a step must multiply the odds by in a series of each length."""
    another: float = 2.0
    """What a step must multiply them by on top where others have been found: most series have none, few have two."""
    line: float = 1.0
    """Of a line against nothing where it is asked if a step fits as well."""

    def without(self, noises: Noises) -> Floats:
        """Weight of each noise with each explanation without a step, (g, 2 + lines)."""
        noise = np.interp(noises.phi, self.phi, self.noise) + np.where(noises.white > 0, self.white, 0.0)
        both: Floats = noise[:, None] + self.lines
        return both

    def beside(self, noises: Noises) -> Floats:
        """Weight of each noise with a step, (g,)."""
        noise = np.interp(noises.phi, self.phi, self.noise_beside)
        weight: Floats = noise + np.where(noises.white > 0, self.white_beside, 0.0)
        return weight

    def asked(self, length: Floats) -> Floats:
        """What a step must multiply the odds by in series of some lengths."""
        asked: Floats = np.interp(np.log(length), np.log(self.steps), self.passes)
        return asked
