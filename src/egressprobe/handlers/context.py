"""The part of the Lambda context object that the handlers use.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from typing import Protocol


class Context(Protocol):
    """aws_request_id: of this invocation; it becomes the report's runId."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...
