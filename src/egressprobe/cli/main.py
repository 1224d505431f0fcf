"""The command line. Results go to stdout, messages to stderr. Exit codes: common/exit_codes.py."""

import errno
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from egressprobe.aws.session import use_region_of_environment
from egressprobe.cli.commands import (
    audit,
    demo,
    diff,
    discover,
    drill,
    explain,
    invoke,
    preflight,
    run,
    switch,
    verify,
    whatif,
)
from egressprobe.cli.commands.deployed import ack, flows, history, incidents
from egressprobe.cli.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, OUR_ERROR, message
from egressprobe.cli.common.log import log_as_messages
from egressprobe.cli.common.parser import parser
from egressprobe.cli.common.program import completes_for_kubectl
from egressprobe.cli.common.streams import prepare_streams
from egressprobe.cli.live import watch
from egressprobe.cli.settings.output import COLOURS, is_verbose, set_output
from egressprobe.cli.shells import completion
from egressprobe.model.errors import AwsError, InputError, os_words, short, stack_of
from egressprobe.publish.stdout import drop_stdout

# To add a command: a module in commands/, and its name here. In this order in --help.
COMMANDS = (
    *(run, watch, invoke, incidents, ack, flows, history, drill, discover, audit, whatif),
    *(preflight, switch, verify, diff, explain, demo, completion),
)
_MOST_MISTAKES = 20
_NO_CONNECTION = "Could not connect to the endpoint URL"  # botocore.exceptions.EndpointConnectionError
_NO_CREDENTIALS = "Unable to locate credentials"  # botocore.exceptions.NoCredentialsError
_LOG_IN = "; log in, for example with `aws sso login`, or name a profile: --profile or AWS_PROFILE"
_OF_THE_EXTRA = {"boto3", "botocore", "yaml"}  # pyproject.toml: the extra `cli`


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but `--help` and `--version` exits by itself."""
    prepare_streams()
    set_output(colour=COLOURS[0], quiet=False, verbose=False)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        known = parser(COMMANDS)
        if completes_for_kubectl():
            return _complete(known, words)
        if not words and sys.stderr.isatty():
            known.print_help(sys.stderr)
            return BAD_INPUT
        options = known.parse_args(_as_options(words))
        set_output(colour=options.color, quiet=options.quiet, verbose=options.verbose)
        log_as_messages(verbose=options.verbose)
        use_region_of_environment()
        if getattr(options, "profile", None):
            _use_profile(options.profile)
        code: int = options.run(options)
        sys.stdout.flush()
    except InputError as error:
        _show_mistakes(error)
        return BAD_INPUT
    except AwsError as error:
        message(f"egressprobe: {error}{_next_step(str(error))}")
        return OUR_ERROR
    except BrokenPipeError:
        drop_stdout()
        return OUR_ERROR
    except KeyboardInterrupt:
        message("egressprobe: interrupted")
        return INTERRUPTED
    except Exception as error:
        message(f"egressprobe: {_one_line(error)}")
        return OUR_ERROR
    return code


def _as_options(words: list[str]) -> list[str]:
    """`help`, `help COMMAND` and `version`, which kubectl and the AWS CLI have, are `--help` and `--version` here."""
    if words[:1] == ["help"]:
        return [*words[1:2], "--help"]
    return ["--version"] if words == ["version"] else words


def _complete(known: ArgumentParser, words: list[str]) -> int:
    from egressprobe.cli.shells.kubectl import completions

    print(completions(known, words))
    return OK


def _show_mistakes(error: InputError) -> None:
    """A line each; a person corrects the first and tries again."""
    for mistake in error.mistakes[:_MOST_MISTAKES]:
        message(f"egressprobe: {mistake}")
    more = len(error.mistakes) - _MOST_MISTAKES
    if more > 0:
        message(f"egressprobe: and {more} more mistakes")


def _next_step(error: str) -> str:
    """What a person can do about an error of AWS, if that is known."""
    if _NO_CREDENTIALS in error:
        return _LOG_IN
    if _NO_CONNECTION in error:
        from egressprobe.cli.common.no_network import has_network

        return "" if has_network() else "; this computer has no network: no route to any address"
    return ""


def _use_profile(name: str) -> None:
    """As AWS_PROFILE, so that every session has it. Raises InputError where the AWS configuration does not have it."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        known = Session().available_profiles
    except BotoCoreError as error:
        raise InputError("--profile", str(error)) from None
    if name not in known:
        message = f'"{short(name)}" is not in the AWS configuration; `aws configure list-profiles` has the names'
        raise InputError("--profile", message)
    os.environ["AWS_PROFILE"] = name


def _one_line(error: Exception) -> str:
    """What went wrong, in one line: what its reader can change, else an error of ours."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _OF_THE_EXTRA:
        return f"this needs {error.name}: pip install 'egressprobe[cli]'"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
        drop_stdout()
        return f"the output cannot be written: {os_words(error)}"
    # Not the text of the error: it may hold a secret.
    where = stack_of(error) if is_verbose() or os.environ.get("EGRESSPROBE_TRACEBACK") else "--verbose shows where"
    return f"internal error: {type(error).__name__} ({where})"


if __name__ == "__main__":
    sys.exit(main())
