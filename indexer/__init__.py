"""Search indexes and triple stores."""
