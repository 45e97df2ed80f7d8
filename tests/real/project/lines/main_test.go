package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	if n := count(bufio.NewScanner(strings.NewReader("a\nb\n"))); n != 2 {
		t.Fatal(n)
	}
}
