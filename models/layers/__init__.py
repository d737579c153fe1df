"""Parts that three or more models share."""
