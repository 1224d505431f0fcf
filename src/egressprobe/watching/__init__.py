"""What `egressprobe watch` looks at, again and again: rounds, and what changed between them.

- `rounds`: one look at every target from every subnet. `history`: what is remembered of them, bounded. Both pure.
- `local`, `joined`, `stack_logs`: where a round comes from: probes of this computer, the Planner on demand, or the
  lines that the deployed probes log each minute, which cost no probe.
- `repeat`: one look after the other, never two at once.
"""
