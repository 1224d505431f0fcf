"""Run by the AWS CLI's own Python: parses each command line of standard input as the CLI does, and calls nothing.

Answers a line of JSON each: the service, operation and parameters of its call, or what the parser said.
"""

import contextlib
import gc
import io
import json
import os
import shlex
import sys

from awscli import clidriver
from awscli.botocore.validate import ParamValidator


def main() -> None:
    os.environ |= {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    driver = clidriver.create_clidriver()
    table = driver._get_command_table()
    for service in ("ec2", "eks", "iam", "route53resolver"):  # made once, before the children
        table[service]._get_command_table()
    gc.disable()  # a collection in a child would copy every page that it shares with us
    for line in sys.stdin.read().splitlines():
        sys.stdout.flush()
        child = os.fork()  # a driver keeps one command's customisations for the next; making another takes 0.3 s
        if child == 0:
            print(json.dumps(_parsed(driver, shlex.split(line))), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def _parsed(driver: clidriver.CLIDriver, words: list[str]) -> dict[str, object]:
    called: list[tuple[str, str, dict[str, object]]] = []
    said = io.StringIO()

    def invoke(self: object, service: str, operation: str, parameters: dict[str, object], _: object) -> int:
        model = self._session.get_service_model(service).operation_model(operation)  # type: ignore[attr-defined]
        report = ParamValidator().validate(parameters, model.input_shape)
        if report.has_errors():
            said.write(report.generate_report())
            return 1
        called.append((service, operation, parameters))
        return 0

    clidriver.CLIOperationCaller.invoke = invoke
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = driver.main(words[1:])
        except SystemExit as end:
            code = end.code
    good = words[0] == "aws" and code == 0 and len(called) == 1
    calls, parameters = (called[0][:2], called[0][2]) if good else (None, None)
    return {"calls": calls, "parameters": parameters, "said": said.getvalue()}


if __name__ == "__main__":
    main()
