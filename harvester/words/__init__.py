"""Reading what people write: dates, licences, people, units, identifiers."""
