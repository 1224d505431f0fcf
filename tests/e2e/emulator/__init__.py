"""ministack, an AWS emulator, with what it lacks for egressprobe; it runs in an environment of its own, .tools/e2e.

Each part names what ministack does instead, and the AWS page with what AWS does. Time is the emulation's (clock.py): a
minute is over as soon as what AWS does in it is done.
"""
