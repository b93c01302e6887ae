WORDS = "from a file beside the app"
