"""What the engines of CloudFormation Guard and of Rego answer, run where `make template` has installed them.

The engines' environment has nothing of ours, so the questions go to a program of its own: this file.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GOVERNANCE = ROOT / "deploy" / "governance"
_PYTHON = ROOT / ".tools" / "stack" / "governance" / "bin" / "python"


def guard(templates: list[str]) -> list[dict[str, Any]]:
    """Of each template: `status` (PASS, FAIL, SKIP), and the rules that fail with their messages."""
    return _asked("guard", "eks-egress-mode.guard", templates)


def rego(plans: list[dict[str, Any]]) -> list[dict[str, list[str]]]:
    """Of each plan: `deny` and `warn`, as conftest reads them from the package `main`."""
    return _asked("rego", "eks_egress_mode.rego", plans)


def _asked(engine: str, rules: str, inputs: list[Any]) -> Any:
    question = json.dumps({"rules": (GOVERNANCE / rules).read_text(), "inputs": inputs})
    command = [str(_PYTHON), __file__, engine]
    done = subprocess.run(command, input=question, text=True, check=True, capture_output=True, cwd=ROOT, timeout=60)
    return json.loads(done.stdout)


def _guard(rules: str, template: str) -> dict[str, Any]:
    import guardpycfn  # type: ignore[import-not-found]

    answer = guardpycfn.validate_with_guard(template, rules)
    if not answer["success"]:
        raise ValueError(answer["error"])
    result = answer["result"]
    failed = {one["Rule"]["name"]: json.dumps(one["Rule"]["checks"]) for one in result["not_compliant"]}
    return {"status": result["status"], "failed": failed}


def _rego(rules: str, plan: dict[str, Any]) -> dict[str, list[str]]:
    import regopy  # type: ignore[import-not-found]

    interpreter = regopy.Interpreter()
    interpreter.add_module("eks_egress_mode.rego", rules)
    interpreter.set_input(plan)
    answer = json.loads(str(interpreter.query("deny := data.main.deny; warn := data.main.warn")))
    return {name: answer["bindings"][name] for name in ("deny", "warn")}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    ask = {"guard": _guard, "rego": _rego}[sys.argv[1]]
    json.dump([ask(asked["rules"], one) for one in asked["inputs"]], sys.stdout)
