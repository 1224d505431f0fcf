"""The static audit: what the VPC's configuration says of the control plane's way out. See story.py."""
