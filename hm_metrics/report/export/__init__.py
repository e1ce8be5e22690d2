"""A report's rows in the formats that other tools read."""
