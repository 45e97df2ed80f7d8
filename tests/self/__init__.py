"""Tests of `bramble/self`: chapter 12."""
