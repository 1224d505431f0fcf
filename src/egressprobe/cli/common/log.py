"""What the engine and the AWS SDK log, as one line each on stderr: errors always, the rest with --verbose."""

import logging
import os
import traceback

from egressprobe.cli.common.exit_codes import message

_CALL = "Making request for "  # botocore/endpoint.py, Endpoint.make_request


def log_as_messages(*, verbose: bool) -> None:
    """Once a command. verbose: what is done, and tracebacks. The loggers' own levels are left as they are without it:
    the engine may be used in the same process for something else.
    """
    logger, calls = logging.getLogger("egressprobe"), logging.getLogger("botocore.endpoint")
    for handler in logger.handlers:
        if isinstance(handler, _Messages):
            logger.removeHandler(handler)
            handler.restore()
    if verbose or not logger.handlers:
        logger.addHandler(_Messages(logging.DEBUG if verbose else logging.ERROR, (logger, calls)))
    if verbose:
        logger.setLevel(logging.DEBUG)
        calls.setLevel(logging.DEBUG)
        if not any(isinstance(handler, _AwsCalls) for handler in calls.handlers):
            calls.addHandler(_AwsCalls())
    calls.propagate = not verbose


class _Messages(logging.Handler):
    """A line on stderr; the traceback with --verbose or EGRESSPROBE_TRACEBACK. loggers: whose levels it gives back."""

    def __init__(self, level: int, loggers: tuple[logging.Logger, ...]) -> None:
        super().__init__(level)
        self._levels = [(logger, logger.level) for logger in loggers]

    def restore(self) -> None:
        for logger, level in self._levels:
            logger.setLevel(level)

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
