"""The command line. Results go to stdout, messages to stderr.

Exit codes: 0 pass, 1 our own error, 2 bad input, 3 at least one fail, 4 degraded or unknown only.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from egressprobe.cli.commands import audit, demo, discover, explain, invoke, run
from egressprobe.cli.common.exit_codes import BAD_INPUT, OUR_ERROR, message
from egressprobe.cli.common.parser import parser
from egressprobe.model.errors import AwsError, InputError

# To add a command: a module in commands/, and its name here. In this order in --help.
COMMANDS = (run, invoke, discover, audit, explain, demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but `--help` and `--version` exits by itself."""
    try:
        options = parser(COMMANDS).parse_args(argv)
        code: int = options.run(options)
    except InputError as error:
        message(f"egressprobe: {error}")
        return BAD_INPUT
    except AwsError as error:
        message(f"egressprobe: {error}")
        return OUR_ERROR
    except BrokenPipeError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUR_ERROR
    except KeyboardInterrupt:
        message("egressprobe: interrupted")
        return OUR_ERROR
    except Exception as error:
        if os.environ.get("EGRESSPROBE_TRACEBACK"):
            raise
        message(f"egressprobe: internal error: {type(error).__name__}: {error} (EGRESSPROBE_TRACEBACK=1 shows where)")
        return OUR_ERROR
    return code


if __name__ == "__main__":
    sys.exit(main())
