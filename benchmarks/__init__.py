"""How fast the house is, against its peers, on your machine.

``python -m benchmarks`` runs everything; docs/explanation/benchmarks.md says how to
read it. Nothing here is imported by the package.
"""
