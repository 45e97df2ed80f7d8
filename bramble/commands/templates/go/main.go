// The program greet greets whoever is named on its command line.
package main

import (
	"fmt"
	"os"
	"strings"
)

func greeting(name string) string {
	if name == "" {
		name = "world"
	}
	return "Hello, " + name + "!"
}

func main() {
	fmt.Println(greeting(strings.Join(os.Args[1:], " and ")))
}
