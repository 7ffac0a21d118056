"""Who in the picture is speaking, for videoannotator: voices to faces to persons, with an off-screen class."""
