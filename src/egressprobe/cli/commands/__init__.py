"""One module a command: `add_parser(commands)` declares its options, `run(options)` returns the exit code."""
