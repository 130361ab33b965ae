"""What the web server adds to the pages: the HTML page around them, shared pages, and the security
of every response.
"""
