"""Answer which loss, used in which way, ranks classes and samples best on multi-label images."""

__version__ = "0.2.0"
