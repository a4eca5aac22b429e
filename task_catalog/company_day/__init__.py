"""A day of a facility company: makes its data, plays the day with real workers and real mail, reconciles every total."""
