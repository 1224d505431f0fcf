"""Rules beside the paths: each declares what it reads of a snapshot, and returns findings. Pure."""
