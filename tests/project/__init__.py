"""Tests of bramble/project (spec chapter 2)."""
