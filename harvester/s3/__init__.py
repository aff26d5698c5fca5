"""Object stores and lists of addresses."""
