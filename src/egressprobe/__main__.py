"""`python -m egressprobe`: the command line."""

import sys

from egressprobe.cli.main import main

sys.exit(main())
