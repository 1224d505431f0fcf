"""As much of kubectl's command line as our pages use, from its reference, to check commands without kubectl.

https://kubernetes.io/docs/reference/kubectl/generated/ (one page a command, with its options)
"""

# verb -> options that it takes; the value says whether one needs a value.
_OPTIONS = {
    "get": {"-o": True, "-A": False, "-n": True, "--raw": True, "--field-selector": True},
    "create": {"--from-literal": True, "--dry-run": True, "-n": True},
    "patch": {"--type": True, "-p": True, "-n": True},
    "annotate": {"--overwrite": False},
    "scale": {"--replicas": True, "-n": True},
}
_DRY_RUN, _PATCH_TYPES = {"none", "server", "client"}, {"json", "merge", "strategic"}
# Singular and plural names that kubectl takes: `kubectl api-resources` of Kubernetes 1.35.
_RESOURCES = {
    name + ending
    for name in (
        *("validatingwebhookconfiguration", "mutatingwebhookconfiguration", "apiservice", "configmap", "deployment"),
        *("endpointslice", "namespace", "pod", "service", "event"),
    )
    for ending in ("", "s")
}


def check_kubectl(words: list[str]) -> None:
    """Asserts that the verb, its options and the resources exist. words: from `kubectl` on."""
    program, verb, *rest = words
    assert program == "kubectl"
    assert verb in _OPTIONS, f"{verb} is not in the table"
    named, options = [], {}
    while rest:
        word, *rest = rest
        if not word.startswith("-"):
            named.append(word)
            continue
        option, has_value, value = word.partition("=")
        assert option in _OPTIONS[verb], f"{verb} has no {option}"
        if _OPTIONS[verb][option] and not has_value:
            value, *rest = rest
        assert bool(value) == _OPTIONS[verb][option], word
        options[option] = value
    resources = named[0].split(",")
    assert set(resources) <= _RESOURCES, f"{named[0]} is not a resource"
    assert options.get("--dry-run", "none") in _DRY_RUN
    assert options.get("--type", "json") in _PATCH_TYPES
    if verb in ("create", "patch"):
        assert len(named) == 2, "a resource and its name"
