"""clusters.yaml: what is read, and every mistake at once with its line."""

import re

import pytest
from botocore.session import Session as Core
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.model.errors import InputError
from egressprobe.stack.fleet.file import ListedCluster, _partition, read_clusters
from egressprobe.stack.fleet.parameters import OWN, check_parameters
from egressprobe.stack.fleet.stack_sets import set_parameters
from egressprobe.stack.template import TEMPLATE
from egressprobe.targets.file import read_file
from tests.conftest import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "clusters.yaml"
PARAMETERS = read_file(str(TEMPLATE), functions=True)["Parameters"]
CLUSTER = "- {name: a, account: '111122223333', region: eu-west-1}"
WRONG = """\
prefix: Org_Probe
organisation: o-a1b2c3d4e5
stackSets:
  name: egress_probe # and no region
  permissions: service-manged
  callAs: DELEGATED
  organizationalUnits: [ou-x]
parameters:
  MetricDetial: subnet
  Subnets: x
clusters:
- name: prod
  account: 111122223333
  region: eu-west-1
- name: prod/x
  account: "1111"
  region: ireland
- name: a
  account: "111122223333"
  region: eu-west-1
  parameters: {MetricDetail: subnets, CertificateDays: 400, Exclude: "a b"}
  subnets: [subnet-0a]
- {name: a, account: "111122223333", region: eu-west-1, target: t.yaml}
- name: a
  account: "111122223333"
  region: eu-west-1
- name: b
  region: eu-west-1
- c
"""
EXPECTED = [
    '1: prefix: "Org_Probe" cannot begin the name of a bucket',
    "2: organisation: is not known; did you mean organization?",
    "13: clusters[0].account (prod): expected a string, got a whole number; put it in quotes",
    '15: clusters[1].name (prod/x): "prod/x" is not the name of an EKS cluster',
    '16: clusters[1].account (prod/x): "1111" is not an account of 12 digits, in quotes',
    '17: clusters[1].region (prod/x): "ireland" is not a region such as eu-west-1',
    '21: clusters[2].parameters.MetricDetail (a): "subnets" is not allowed; did you mean subnet?',
    '21: clusters[2].parameters.CertificateDays (a): "400" is not between 0 and 365',
    f'21: clusters[2].parameters.Exclude (a): "a b" does not match {PARAMETERS["Exclude"]["AllowedPattern"]}',
    '22: clusters[2].subnets[0] (a): "subnet-0a" is not SUBNET/ZONE, such as subnet-0a1b/eu-west-1a',
    "18: clusters[2].securityGroups (a): is missing; give both by hand, or neither: then they are read",
    "23: clusters[3].target (a): is not known; did you mean targets?",
    "24: clusters[4] (a): is the same cluster as clusters[2]; a cluster has one stack",
    "27: clusters[5].account (b): is missing",
    "29: clusters[6]: expected an object with name, account and region, got a string",
]
OF_STACK_SETS_AND_PARAMETERS = [
    "3: stackSets.region: is missing; name the region of the StackSets, the same for whoever runs this",
    '4: stackSets.name: "egress_probe" is not a name of letters, digits and hyphens',
    '5: stackSets.permissions: "service-manged" is not known; did you mean service-managed?',
    '6: stackSets.callAs: "DELEGATED" is not known; did you mean DELEGATED_ADMIN?',
    '7: stackSets.organizationalUnits[0]: "ou-x" is not an organizational unit or root, ou-... or r-...',
    "9: parameters.MetricDetial: is not known; did you mean MetricDetail?",
    "10: parameters.Subnets: is set by subnets, or by what is read; remove it",
]


def read(tmp_path, text):
    path = tmp_path / "clusters.yaml"
    path.write_text(text)
    return read_clusters(str(path), PARAMETERS)


def mistakes(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return [str(mistake).partition("clusters.yaml:")[2] for mistake in caught.value.mistakes]


def _sorted(lines):
    return sorted(lines, key=lambda line: (int(line.partition(":")[0]), line))


def test_the_example_is_read():
    """Every field, and parameters as CloudFormation takes them."""
    file = read_clusters(str(EXAMPLE), PARAMETERS)
    assert [str(cluster) for cluster in file.clusters] == [
        "payments (222233334444, eu-west-1)",
        "payments-test (222233334444, eu-west-1)",
        "search (333344445555, us-east-1)",
        "batch (333344445555, eu-west-1)",
    ]
    assert file.parameters["CreateDashboard"] == "false"
    assert file.parameters_of(file.clusters[0])["MetricDetail"] == "subnet"
    assert file.clusters[3].security_groups == ("sg-0a1b2c3d",)
    assert file.stack_sets.organizational_units == ("r-a1b2",)


def test_all_mistakes_with_their_lines(tmp_path):
    """Of the file and of each cluster, whatever else is wrong."""
    everything = _sorted([*EXPECTED, *OF_STACK_SETS_AND_PARAMETERS])
    assert _sorted(mistakes(tmp_path, WRONG)) == everything
    assert _sorted(mistakes(tmp_path, WRONG.replace("organisation", "organization"))) == [
        line for line in everything if not line.startswith("2: ")
    ]


def test_a_field_of_the_wrong_form_hides_no_other_mistake(tmp_path):
    """Nor does it count as missing: stackSets has a region, and parameters are not looked at again."""
    text = "prefix: A\norganization: 1\nstackSets: {region: eu-west-1, naem: x}\nparameters: [a]\ntags: {a: b}\n"
    assert mistakes(tmp_path, text + "clusters: 3\n") == [
        '1: prefix: "A" cannot begin the name of a bucket',
        "2: organization: expected a string, got a whole number; put it in quotes",
        "3: stackSets.naem: is not known; did you mean name?",
        "4: parameters: expected an object, got a list",
        "6: clusters: expected a list, got a whole number",
    ]
    assert mistakes(tmp_path, "stackSets: {region: eu-west-1}\n") == [" clusters: is missing"]


@pytest.mark.parametrize(
    ("stack_sets", "expected"),
    [
        (
            "{region: eu-west-1, permissions: service-managed, executionRole: r}",
            [
                "1: stackSets.organizationalUnits: is missing; service-managed permissions reach accounts by them",
                "1: stackSets.executionRole: is of self-managed permissions; remove it",
            ],
        ),
        (
            "{region: eu-west-1, callAs: DELEGATED_ADMIN, organizationalUnits: [r-a1b2], administrationRole: admin}",
            [
                '1: stackSets.administrationRole: "admin" is not the ARN of a role',
                "1: stackSets.organizationalUnits: needs permissions: service-managed",
                "1: stackSets.callAs: needs permissions: service-managed",
            ],
        ),
    ],
    ids=["service-managed", "self-managed"],
)
def test_settings_of_the_other_kind_of_permissions(tmp_path, stack_sets, expected):
    """What AWS would refuse after the plan was confirmed is refused before."""
    text = f"stackSets: {stack_sets}\nclusters: [{{name: a, account: '111122223333', region: eu-west-1}}]\n"
    assert mistakes(tmp_path, text) == expected


@pytest.mark.parametrize(("name", "ok"), [("probes", True), ("p-1", True), ("net-2", False), ("egressprobe-17", False)])
def test_the_name_of_a_further_set_is_no_name_of_a_first(tmp_path, name, ok):
    """PRUNE=1 of the file with the shorter name would delete the stacks of this one."""
    text = f"stackSets: {{region: eu-west-1, name: {name}}}\nclusters:\n{CLUSTER}\n"
    wrong = "1: stackSets.name: ends like the second set of another name; choose one without a number at its end"
    assert (read(tmp_path, text).stack_sets.name if ok else mistakes(tmp_path, text)) == (name if ok else [wrong])


def test_every_partition_has_its_own_beginnings():
    """As botocore lists them: a StackSet reaches one partition."""
    core = Core()
    found = {
        partition: {_partition(region) for region in core.get_available_regions("ec2", partition)}
        for partition in core.get_available_partitions()
    }
    assert found["aws"] == {""}
    assert all(len(names) <= 1 for names in found.values())
    names = [name for names in found.values() for name in names]
    assert len(names) == len(set(names))


def test_regions_of_two_partitions(tmp_path):
    cluster = "- {name: b, account: '111122223333', region: cn-north-1}"
    text = f"stackSets: {{region: eu-west-1}}\nclusters:\n{CLUSTER}\n{cluster}\n"
    expected = '"cn-north-1" is in another partition of AWS than stackSets.region; give it a file of its own'
    assert mistakes(tmp_path, text) == [f"4: clusters[1].region (b): {expected}"]


def test_a_role_of_another_account(tmp_path):
    """One role for all clusters is a role of one account."""
    role = "arn:aws:iam::111122223333:role/net/probes"
    other = "- {name: b, account: '222233334444', region: eu-west-1}"
    text = f"stackSets: {{region: eu-west-1}}\nparameters: {{ProbeRoleArn: '{role}'}}\nclusters:\n{CLUSTER}\n{other}\n"
    expected = "ProbeRoleArn is a role of 111122223333, and a function needs one of its own account"
    assert [line.partition(": ")[2] for line in mistakes(tmp_path, text)] == [f"clusters[1].parameters (b): {expected}"]


@pytest.mark.parametrize("value", ["512.0", "1e3", "5_12", " 512", "\u0663", "nan", "-1", "1" * 5000, ""])
def test_a_number_is_a_whole_one(value):
    """What CloudFormation would take otherwise, no function would."""
    with pytest.raises(InputError, match=r"is not a whole number|is longer"):
        check_parameters({"ProbeMemory": value}, PARAMETERS, "parameters")


def test_a_subnet_once(tmp_path):
    """Also in two zones."""
    hand = "subnets: [subnet-0a/a, subnet-0a/b], securityGroups: [sg-0a]"
    text = f"stackSets: {{region: eu-west-1}}\nclusters:\n{CLUSTER[:-1]}, {hand}}}\n"
    assert mistakes(tmp_path, text) == ["3: clusters[0].subnets (a): names one of them twice"]


def test_a_planner_in_a_vpc_needs_groups(tmp_path):
    """Also where the one is of all clusters, and the other of none."""
    text = f"stackSets: {{region: eu-west-1}}\nparameters: {{PlannerSubnetIds: subnet-0a}}\nclusters:\n{CLUSTER}\n"
    expected = "clusters[0].parameters (a): PlannerSubnetIds needs PlannerSecurityGroupIds, with outbound 443"
    assert mistakes(tmp_path, text) == [f"4: {expected}"]


def test_a_file_that_is_not_deployed_needs_less(tmp_path):
    """Other readers want the clusters alone."""
    path = tmp_path / "c.yaml"
    path.write_text(f"clusters:\n{CLUSTER}\n")
    assert [cluster.name for cluster in read_clusters(str(path)).clusters] == ["a"]
    with pytest.raises(InputError, match=r"stackSets\.region: is missing"):
        read_clusters(str(path), PARAMETERS)


def test_nothing_to_probe(tmp_path):
    """Discovery off, and no targets file."""
    text = f"stackSets: {{region: eu-west-1}}\nparameters: {{Discovery: false}}\nclusters:\n{CLUSTER}\n- {{name: b, account: '{'1' * 12}', region: eu-west-1, targets: t}}\n"
    expected = "clusters[0].targets (a): is missing, and Discovery is false: there would be nothing to probe"
    assert mistakes(tmp_path, text) == [f"4: {expected}"]


@pytest.mark.parametrize("text", ["clusters: []\n", "[]\n", "clusters: {}\n", "{}\n"])
def test_no_clusters(tmp_path, text):
    """One line, whatever is there instead."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert "clusters" in str(caught.value)


def test_the_command_s_own_parameters_exist():
    """A parameter that the template renames is noticed here."""
    assert (
        OWN.keys() - {"ArtifactBucketPrefix", "ArtifactBucket", "ProbeArtifact", "PlannerArtifact"} <= PARAMETERS.keys()
    )


def test_values_of_the_set_alone_are_accepted():
    """Parameters without a default have a value in the set, which no stack uses; AWS checks their pattern all the same."""
    required = {name for name, rule in PARAMETERS.items() if "Default" not in rule} - OWN.keys() | {
        "ClusterName",
        "Subnets",
    }
    values = set_parameters({"Parameters": PARAMETERS}, {})
    assert required <= values.keys()
    for name in required:
        assert re.fullmatch(PARAMETERS[name]["AllowedPattern"], values[name]), name


def test_defaults_of_the_template_pass():
    """The check refuses nothing that the template itself says."""
    defaults = {
        name: str(rule["Default"]) for name, rule in PARAMETERS.items() if "Default" in rule and name not in OWN
    }
    check_parameters(defaults, PARAMETERS, "parameters")


_keys = st.sampled_from(["name", "account", "region", "parameters", "targets", "subnets", "securityGroups", "x"])
_values = st.sampled_from(['"111122223333"', "eu-west-1", "a", "1", "[a]", "{}", "null", "[[]]", "{MetricDetail: [1]}"])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(st.dictionaries(_keys, _values, max_size=5), max_size=3))
def test_any_file_is_read_or_refused(tmp_path_factory, clusters):
    """Nothing but InputError, and every line names the file."""
    text = "clusters:\n" + "".join(
        "- {" + ", ".join(f"{key}: {value}" for key, value in cluster.items()) + "}\n" for cluster in clusters
    )
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    try:
        file = read_clusters(str(path), PARAMETERS)
    except InputError as error:
        assert all(re.match(rf"{re.escape(str(path))}(:\d+)?: ", str(mistake)) for mistake in error.mistakes)
    else:
        assert all(isinstance(cluster, ListedCluster) for cluster in file.clusters)
