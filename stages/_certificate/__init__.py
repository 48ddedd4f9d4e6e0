"""What a certificate needs from around the library: DVC's lock file, git, and the folders where stages meet."""
