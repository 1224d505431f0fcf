"""The targets of routes: what each kind does with a packet, and where the packet goes next."""
