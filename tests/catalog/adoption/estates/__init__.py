"""An application that calls everything otherwise: models, tables, columns, keys; and has a field of its own."""
