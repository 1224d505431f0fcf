import sys

from egressprobe.cli import main

sys.exit(main())
