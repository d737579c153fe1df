"""The vendored corpora and the scripts that derive them; see README.md."""
