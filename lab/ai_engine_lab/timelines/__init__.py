"""Generated two-party calls whose truth is known, and how well the ear hears them."""
