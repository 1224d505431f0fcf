"""What an evaluation knows: an event's report, a look at everything, and what surrounds a cause."""
