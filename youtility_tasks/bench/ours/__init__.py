"""The application that is measured when it is us: three files that any user of this package could have written."""
