"""Study crates: RO-Crates as records, and where they are found."""
