"""How close restored images are to the clean ones: one value per image."""
