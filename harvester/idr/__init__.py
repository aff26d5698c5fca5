"""IDR's study files as records."""
