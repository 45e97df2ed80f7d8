"""How objects leave: what nobody needs, what a crash has left, a whole store; and files that share bytes."""
