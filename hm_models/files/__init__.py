"""What this project reads and keeps: text files, YAML, one SQLite store, and where they are."""
