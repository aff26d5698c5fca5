"""Publishing a data set as a FAIR package."""
