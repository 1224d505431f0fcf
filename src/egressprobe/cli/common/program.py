"""The name by which the command line was started: by itself, or by kubectl as one of its plugins.

kubectl runs the executable `kubectl-NAME` for `kubectl NAME`, and asks `kubectl_complete-NAME` for completions:
https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins and kubectl's pkg/cmd/plugin/plugin_completion.go.
"""

import sys
from pathlib import PurePath

NAME = "egressprobe"
_PLUGIN, _COMPLETION = f"kubectl-{NAME}", f"kubectl_complete-{NAME}"


def program() -> str:
    """`egressprobe`, or `kubectl egressprobe`: what a person types before the command."""
    return f"kubectl {NAME}" if _started_as() in (_PLUGIN, _COMPLETION) else NAME


def completes_for_kubectl() -> bool:
    """Whether kubectl asks for completions; the arguments are the words so far, the last of them unfinished."""
    return _started_as() == _COMPLETION


def _started_as() -> str:
    return PurePath(sys.argv[0]).name.removesuffix(".exe") if sys.argv else NAME
