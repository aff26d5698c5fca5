"""IDR's search engine as records."""
