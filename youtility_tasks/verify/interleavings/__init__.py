"""The queue's statements without processes: every order of a few sessions' statements, against a model and the checker."""
