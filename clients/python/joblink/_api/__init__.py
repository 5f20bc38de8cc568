"""What ariadne-codegen makes of the schema and the operations."""
