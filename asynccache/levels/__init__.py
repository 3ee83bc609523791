"""The two levels: what is read where, what is stored when, and what may not be stored any more."""
