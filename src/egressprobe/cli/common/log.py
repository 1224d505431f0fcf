"""What the engine and the AWS SDK log, as one line each on stderr: errors always, the rest with --verbose."""

import logging
import os
import traceback

from egressprobe.cli.common.exit_codes import message

_CALL = "Making request for "  # botocore/endpoint.py, Endpoint.make_request


def log_as_messages(*, verbose: bool) -> None:
    """Once a command. verbose: what is done, and tracebacks."""
    logger = logging.getLogger("egressprobe")
    level = logging.DEBUG if verbose else logging.ERROR
    for handler in logger.handlers:
        if isinstance(handler, _Messages):
            logger.removeHandler(handler)
    if verbose or not logger.handlers:
        logger.addHandler(_Messages(level))
    logger.setLevel(level)
    calls = logging.getLogger("botocore.endpoint")
    calls.setLevel(level)
    if verbose and not any(isinstance(handler, _AwsCalls) for handler in calls.handlers):
        calls.addHandler(_AwsCalls())
    calls.propagate = not verbose


class _Messages(logging.Handler):
    """A line on stderr; the traceback with --verbose or EGRESSPROBE_TRACEBACK."""

    def emit(self, record: logging.LogRecord) -> None:
        message(f"egressprobe: {record.getMessage().removeprefix('egressprobe ')}")
        if record.exc_info and (self.level <= logging.DEBUG or os.environ.get("EGRESSPROBE_TRACEBACK")):
            traceback.print_exception(record.exc_info[1])


class _AwsCalls(logging.Handler):
    """The name of each AWS call. Its parameters and headers, which the record has too, may be secret."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith(_CALL) and isinstance(record.args, tuple):
            operation = record.args[0]
            service = getattr(getattr(operation, "service_model", None), "service_name", "")
            message(f"egressprobe: AWS {service} {getattr(operation, 'name', '')}")
