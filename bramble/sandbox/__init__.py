"""THE SANDBOX: the only room that speaks to the kernel (spec/08-sandbox.md).

wish (`spec.SandboxSpec`) → ordered steps (`steps.steps`, pure) → a small child
that applies them (`child`, started by `helper`), asked for by `launch.Launcher`.

May import: bramble.errors and the standard library. Imports nothing here.
"""
