"""The development stack: PostgreSQL and Temporal out of wheels, the pretend tools and our own processes, supervised."""
