"""Parts of pages. Most are used by more than one page."""
