"""What devices may do to the company's rows: read a record, see whose it is, store it, and have done what follows."""
