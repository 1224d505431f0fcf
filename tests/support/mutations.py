"""Changes of valid input: what a broken or hostile sender makes of a document. Each takes a seeded `random.Random`."""

import copy
import json

SURROGATE = "\ud800"
# Pieces of text that YAML, JSON and shells read as something else.
ODD = ["", "\x00", "\n", SURROGATE, "~", "null", "true", "no", "1e9", ".nan", "-", "&a", "*a", "<<: *a", "[", "{", "'", '"', "\\", "é", ":", "#", "|", "!!binary x"]  # fmt: skip
VALUES = [None, True, False, 0, -1, 2**70, 1.5, "", "x", "\n", "\x1b[2J", [], {}, [None], [[]], {"a": None}, "https://u:p@h/?q", "=" * 70]  # fmt: skip
# What costs time, or what only some readers take.
_EXTREME = [
    lambda random: "x" * random.choice((300, 70_000)),
    lambda random: SURROGATE + "x",
    lambda random: random.choice((float("nan"), float("inf"), -1e308, 10**30)),
    lambda random: [chosen(random, VALUES)] * random.choice((70, 2000)),
    lambda random: nested(random.choice((10, 70, 150))),
]


def chosen(random, values):
    """One of the values, as a copy: what a later change does to it stays out of the next input."""
    return copy.deepcopy(random.choice(values))


def nested(depth):
    """A list in a list in a list."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


def mutated_value(random, value):
    """One value somewhere inside is gone, repeated, renamed, another, huge or deep."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        chance = random.random()
        rest = {other: item for other, item in value.items() if other != key}
        if chance < 0.1:
            return rest
        if chance < 0.13:
            return rest | {random.choice((key.upper(), key + " ", "é", SURROGATE, "")): value[key]}
        return value | {key: mutated_value(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        chance = random.random()
        if chance < 0.1:
            return value[:at] + value[at + 1 :]
        if chance < 0.2:
            return value[: at + 1] + value[at:]
        return [*value[:at], mutated_value(random, value[at]), *value[at + 1 :]]
    return another(random, value)


def another(random, value):
    """Another value of any type; of a text often one that is a little different."""
    if isinstance(value, str) and value and random.random() < 0.4:
        return mutated_text(random, value)
    if random.random() < 0.1:
        return random.choice(_EXTREME)(random)
    return chosen(random, VALUES)


def mutated_text(random, text):
    """A few cuts, copies and odd pieces."""
    for _ in range(random.randint(1, 4)):
        at, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
        end = min(end, at + random.choice((0, 1, 5, 50)))
        text = text[:at] + random.choice((random.choice(ODD), text[at:end] * 2, "")) + text[end:]
    return text


def mutated_bytes(random, data, pieces=()):
    """A few bytes changed, dropped, repeated or put in; sometimes the end is missing. pieces: of the format."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del data[at : at + random.choice((1, 1, 2, 20))]
            case 2:
                data[at:at] = random.choice((*pieces, b"\0", b"\xff", b" ", b"\r\n"))
            case 3:
                data[at:at] = data[at : at + random.randrange(1, 30)]
            case 4 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case _:
                if random.random() < 0.3:
                    del data[at:]
    return bytes(data)


def dumped(random, value, twice=None):
    """JSON as only a few writers make it: NaN, escapes, odd white space. twice: how often a name occurs twice."""
    twice = random.choice((0, 0, 0, 0.01, 0.1)) if twice is None else twice
    if isinstance(value, dict):
        items = list(value.items())
        if items and random.random() < twice:
            items.insert(random.randrange(len(items) + 1), (random.choice(items)[0], chosen(random, VALUES)))
        space = random.choice(("", "", " ", "\n\t"))
        members = (f"{space}{dumped(random, key)}:{dumped(random, item, twice)}" for key, item in items)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumped(random, item, twice) for item in value) + "]"
    return json.dumps(value, ensure_ascii=random.random() < 0.5)


_SIMILAR = {
    str: ("", "x", "-", "0.0.0.0/0", "::/0", "10.0.1.5", "300.0.0.1/8", "10.0.0.0/33", "*", "é\x1b[2J", "y" * 3000),
    int: (-1, 0, 1, 443, 65535, 65536, 2**31, 2**63 - 1, -(2**63)),
    float: (0.0, -1.0, 1e308),
}


class Similar:
    """Changes of a document that keep its types: what passes every check of types and is wrong all the same.

    Texts and numbers come from elsewhere in the document, so that references point to what is of another kind.
    """

    def __init__(self, document):
        self._known = {str: set(), int: set(), float: set()}
        self._collect(document)
        self._pools = {kind: [*sorted(values), *_SIMILAR[kind]] for kind, values in self._known.items()}

    def _collect(self, value):
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._collect(item)
        if type(value) in self._known:
            self._known[type(value)].add(value)

    def mutated(self, random, value):
        """One text, number, list or member somewhere inside is another."""
        if isinstance(value, dict) and value:
            key = random.choice(list(value))
            if random.random() < 0.04:
                return {other: item for other, item in value.items() if other != key}
            return value | {key: self.mutated(random, value[key])}
        if isinstance(value, list):
            return self._list(random, value)
        if isinstance(value, bool):
            return not value
        return random.choice(self._pools[type(value)]) if type(value) in self._pools else value

    def _list(self, random, value):
        if not value or random.random() < 0.1:
            return [] if random.random() < 0.5 else value * random.choice((2, 2, 20))
        at = random.randrange(len(value))
        chance = random.random()
        if chance < 0.1:
            return value[:at] + value[at + 1 :]
        if chance < 0.2:
            return random.sample(value, len(value))
        return [*value[:at], self.mutated(random, value[at]), *value[at + 1 :]]
