"""AWS's answers as structs of the snapshot. Pure."""
