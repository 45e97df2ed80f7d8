"""Tests of bramble/derivation (spec chapter 4)."""
