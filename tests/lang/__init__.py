"""Tests of bramble/lang (spec chapter 3)."""
