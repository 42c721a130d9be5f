"""A report of stored calls: the numbers, and the page or the Markdown that shows them."""
