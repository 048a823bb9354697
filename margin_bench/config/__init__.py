"""Makes a checked configuration, and its identity, of the words of a command line and the YAML files. Imports only
`runtime` and below, never torch.
"""
