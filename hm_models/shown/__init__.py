"""What a user gets to see: words for the screen, foreign text in our files, and no secrets."""
