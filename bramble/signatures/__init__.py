"""Signatures that say who wrote something: made by the user's ssh, verified here.

`ed25519` is the mathematics, `sshsig` the envelope that `ssh-keygen -Y sign` writes. Both are pure;
nothing here holds, reads or makes a secret key.
"""
