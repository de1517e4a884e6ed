"""`python -m healthkit` is `healthkit`."""

from __future__ import annotations

import sys

from healthkit.cli.main import main

sys.exit(main())
