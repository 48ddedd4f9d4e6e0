"""A raw dataset to the converted one, step by step."""
