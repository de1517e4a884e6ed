"""`python -m healthkit.runbook`."""

import sys

from healthkit.runbook.flags import main

if __name__ == "__main__":
    sys.exit(main())
