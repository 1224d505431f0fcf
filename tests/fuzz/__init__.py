"""Random hostile input, one file for each class of input.

A test takes the fixture `fuzz` and hands it a check: a function of a seeded `random.Random` that builds one input and
asserts the invariants (a report in time, no internal_error, no pass that the oracle rules out, memory and answer
bounded). The fixture repeats the check:

    def test_dns_answers(fuzz):
        def check(random):
            assert read(mutated(random)) ...
        fuzz(check, inputs=3000, most_seconds=0.1)

`make test` tries as many inputs as the class names, about 0.3 s of them, and `make check` six times as many: the same in
each run and on each machine. `make fuzz` tries new ones, for SECONDS (30) each class. A class counts its inputs and
prints the number. A seed that fails is written to seeds/NAME, which is tried first from then on: commit it with the fix,
and delete it when the class is changed.

Changes of documents and bytes are in tests/support/mutations.py; most keep the types (`Similar`), since what has other
types is refused early.
"""
