"""AWS's answers as an operator's tools need them: what can go wrong, in one line, and fields that must be there."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from egressprobe.model.errors import AwsError, InputError

# Codes of refusals that pass: waiting goes on.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER_ERROR = 500


def aws_errors() -> tuple[type[Exception], ...]:
    """What an AWS call raises: AWS's refusal, no connection, no credentials, an answer that is not AWS's."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return (ClientError, BotoCoreError, ResponseParserError)


def is_foreign_answer(error: BaseException) -> bool:
    """Whether botocore failed to read an answer, such as a proxy's page: then it raises whatever it ran into."""
    from botocore.parsers import ResponseParserError

    if isinstance(error, ResponseParserError):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__") == "botocore.parsers"


@contextmanager
def failures_as_lines() -> Iterator[None]:
    """What boto3 raises inside becomes one line: InputError where a region or boto3 is missing, else AwsError."""
    try:
        from botocore.exceptions import NoRegionError
    except ImportError:
        raise InputError("", "boto3 is missing: pip install 'egressprobe[cli]'") from None
    try:
        yield
    except NoRegionError:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one") from None
    except (AwsError, InputError):
        raise
    except Exception as error:
        if not isinstance(error, aws_errors()) and not is_foreign_answer(error):
            raise
        raise AwsError(error_line(error)) from error


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed a little later: throttling, AWS's own errors, the connection."""
    from botocore.exceptions import ClientError, HTTPClientError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response.get("Error", {}).get("Code") in _TRANSIENT or status >= _SERVER_ERROR
    return isinstance(error, HTTPClientError) or is_foreign_answer(error)


def error_line(error: Exception) -> str:
    """The error for a person, without line breaks. An answer that is not AWS's is usually a proxy's page."""
    text = " ".join(str(error).split())
    if is_foreign_answer(error):
        return f"the answer is not AWS's (is there a proxy?): {text[:300]}"
    return text


def field(answer: Any, call: str, *path: str | int) -> Any:
    """The field of an answer that AWS always sends. Raises AwsError that names the call and the field."""
    value = answer
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            where = ".".join(map(str, path))
            raise AwsError(f"{call}'s answer lacks {where}: is the endpoint AWS's?") from None
    return value
