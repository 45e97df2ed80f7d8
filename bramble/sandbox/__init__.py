"""The sandbox: the only package that makes system calls of the kernel's isolation (spec/08-sandbox.md).

specification (`spec.SandboxSpec`) → ordered steps (`steps.steps`, pure) → a small child
that applies them (`child`, started by `helper`), asked for by `launch.Launcher`.

May import: bramble.errors and the standard library. Imports nothing here.
"""
