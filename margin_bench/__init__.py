"""Which loss, used in which way, ranks classes and samples best on my multi-label images?"""

__version__ = "0.2.0"
