"""`egressprobe flows` and `egressprobe history`: records of the past of a stack, read and judged."""
