"""An application whose tasks do what tasks should and what they should not."""
