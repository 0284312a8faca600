"""What was exchanged: schema, reading and writing, validation, generation, import."""
