package main

import (
	"bufio"
	"fmt"
	"os"

	"example.com/plural"
)

func count(scanner *bufio.Scanner) int {
	n := 0
	for scanner.Scan() {
		n++
	}
	return n
}

func main() {
	fmt.Println(plural.Of(count(bufio.NewScanner(os.Stdin)), "line"))
}
