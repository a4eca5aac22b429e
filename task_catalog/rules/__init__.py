"""What the business decides (due? to whom? how much?): plain functions with no queue in sight."""
