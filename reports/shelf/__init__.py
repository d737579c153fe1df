"""What has been published: reports that stay, their index, and the one that heads the README."""
