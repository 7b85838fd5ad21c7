"""Which stage follows which."""
