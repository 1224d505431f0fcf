"""What `egressprobe watch` shows: `screen` for a terminal, `changes` a line for each change, `cells` from reports."""
