"""What the browser is served around the pages: the page they are drawn in, shared pages, and the
security of every answer.
"""
