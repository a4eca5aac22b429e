"""The company's tables for those who do not bring their own, with the field names of the application they stand for."""
