"""``python -m reactor``."""

import sys

from reactor.cli.main import main

sys.exit(main())
