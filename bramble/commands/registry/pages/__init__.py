"""What people see of a registry: pages without scripts and without anything from elsewhere. All pure.

`markup` makes text harmless, `frame` is what every page has, the other modules are one kind of page each.
"""
