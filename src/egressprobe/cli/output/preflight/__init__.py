"""A preflight for people: table.py is the whole, matrix.py its matrix, words.py what other formats say as well."""
