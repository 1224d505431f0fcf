"""`python -m bench.scale`: simulates and prints; `--record` writes what docs/scale.md shows, `--count` counts anew."""

import argparse
import json
import sys

from bench.scale.counting import COUNTS, as_text, everything, recorded
from bench.scale.report import as_table, simulated
from bench.scale.results import RESULTS


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--seed", type=int, default=0, help="of the fleets and of when calls are made (0)")
    parser.add_argument("--count", action="store_true", help="count the product's calls and resources into counts.json")
    parser.add_argument("--record", action="store_true", help="write results.json; then make docs")
    options = parser.parse_args(arguments)
    if options.count:
        COUNTS.write_text(as_text(everything()))
    found = simulated(recorded(), options.seed)
    if options.record:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1) if options.output == "json" else as_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
