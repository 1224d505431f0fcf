"""The sources of a preflight for `switch` and `verify`: scripted, with the mode that EKS has."""

import json
import os
import urllib.request

from msgspec.structs import replace

from tests.support.preflights import CLUSTER, ScriptedSources


class SwitchedSources(ScriptedSources):
    """As ScriptedSources; mode: a function that returns the cluster's mode. broken: `changes` once it is switched."""

    def __init__(self, mode, broken, **more):
        super().__init__(**more)
        self.mode, self.broken = mode, broken

    def probe(self, plan):
        if self.mode() != CLUSTER.mode:
            self.changes = self.broken
        return super().probe(plan)

    def cluster(self):
        return replace(super().cluster(), mode=self.mode())


def scripted_sources(_cluster, _region, **_options):
    """Of the process under test."""
    return SwitchedSources(_mode, {})


def _mode():
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL_EKS']}/clusters/prod") as answer:
        return json.load(answer)["cluster"]["resourcesVpcConfig"]["controlPlaneEgressMode"]
