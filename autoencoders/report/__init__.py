"""Pages for people who were not there: from plain values to HTML; nothing is read or saved here."""
