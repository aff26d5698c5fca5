"""Triple stores."""
