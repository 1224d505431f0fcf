"""What all commands share: the argument parser with its common options, and the exit codes."""
