"""The page itself, as HTML and Markdown, with its script and sheet."""
