"""The figures: from labelled tables or images to a matplotlib figure; nothing is saved here."""
